#include "controlplane/desired/probe_plan.h"

#include <map>
#include <set>
#include <string>

namespace maglb {

std::vector<ProbeUser> plan_probes(const ServiceConfig& config) {
  std::map<std::string, std::set<uint16_t>> service_ports;
  for (const ServiceEntry& service : config.services) {
    if (const uint16_t port = backend_port_of(service); port != 0) {
      service_ports[service.pool].insert(port);
    }
  }
  std::vector<ProbeUser> users;
  for (const PoolConfig& pool : config.pools) {
    if (pool.health.type == ProbeType::kNone) {
      continue;
    }
    const std::set<uint16_t> ports =
        pool.health.port != 0 ? std::set<uint16_t>{pool.health.port} : service_ports[pool.name];
    for (const BackendConfig& backend : pool.backends) {
      for (const uint16_t port : ports) {
        users.push_back({pool.name, backend.name, ProbeTarget::make(backend.address, port, pool.health), {}});
      }
    }
  }
  return users;
}

}  // namespace maglb
