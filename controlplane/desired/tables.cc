#include "controlplane/desired/tables.h"

#include <vector>

namespace maglb {
namespace {

std::map<std::string, uint32_t> slots_of(const PoolSpec& spec) {
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

}  // namespace

PoolTables count_slots(const Compiled& compiled, PoolTables before) {
  PoolTables tables;
  for (const CompiledPool& pool : compiled.pools) {
    const auto found = before.find(pool.spec->name);
    const bool same = found != before.end() && found->second.spec == pool.spec;
    tables[pool.spec->name] = {pool.spec, pool.stale,
                               same ? std::move(found->second.slots) : slots_of(*pool.spec)};
  }
  return tables;
}

}  // namespace maglb
