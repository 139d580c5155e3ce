#include "dataplane/explain_settings.h"

namespace maglb {

std::vector<std::string> link_names(const MachineConfig& config) {
  std::vector<std::string> names;
  for (const PortConfig& port : config.ports) {
    names.push_back(port.name);
  }
  for (const PortConfig& port : config.ports) {
    for (const VlanConfig& vlan : port.vlans) {
      names.push_back(vlan.name);
    }
  }
  return names;
}

}  // namespace maglb
