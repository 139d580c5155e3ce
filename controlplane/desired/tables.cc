#include "controlplane/desired/tables.h"

#include <utility>

namespace maglb {

std::map<std::string, uint32_t> count_slots(const PoolSpec& spec) {
  std::vector<uint32_t> counts(spec.backends.size());
  for (const uint16_t slot : spec.slots) {
    if (slot != kNoBackend) {
      ++counts[slot];
    }
  }
  std::map<std::string, uint32_t> slots;
  for (size_t i = 0; i < counts.size(); ++i) {
    slots[spec.backends[i].name] = counts[i];
  }
  return slots;
}

Compiled compiled_of(const PoolTables& tables, std::shared_ptr<const std::vector<ServiceSpec>> services) {
  Compiled compiled;
  compiled.pools.reserve(tables.size());
  for (const auto& [name, table] : tables) {
    compiled.pools.push_back({table.spec, table.stale});
  }
  compiled.services = std::move(services);
  return compiled;
}

}  // namespace maglb
