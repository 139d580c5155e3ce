#include "controlplane/desired/preview.h"

#include <map>
#include <set>

namespace maglb {
namespace {

std::map<std::string, std::shared_ptr<const PoolSpec>> pools_of(const Compiled& compiled) {
  std::map<std::string, std::shared_ptr<const PoolSpec>> pools;
  for (const CompiledPool& pool : compiled.pools) {
    pools[pool.spec->name] = pool.spec;
  }
  return pools;
}

// Empty: nobody's.
std::string owner(const PoolSpec& pool, size_t slot) {
  const uint16_t index = pool.slots[slot];
  return index < pool.backends.size() ? pool.backends[index].name : "";
}

// Tables of other sizes share no slots: a packet's place is compared by its share of the table.
double moved_share(const PoolSpec& from, const PoolSpec& to) {
  if (to.slots.empty() || from.slots.empty()) {
    return 1;
  }
  size_t moved = 0;
  for (size_t slot = 0; slot < to.slots.size(); ++slot) {
    const size_t before =
        from.slots.size() == to.slots.size() ? slot : slot * from.slots.size() / to.slots.size();
    moved += owner(from, before) != owner(to, slot) ? 1 : 0;
  }
  return static_cast<double>(moved) / static_cast<double>(to.slots.size());
}

const PoolConfig* named(const ServiceConfig& config, const std::string& name) {
  for (const PoolConfig& pool : config.pools) {
    if (pool.name == name) {
      return &pool;
    }
  }
  return nullptr;
}

}  // namespace

std::vector<PoolPreview> preview_pools(const ServiceConfig& from, const ServiceConfig& to,
                                       const HealthOf& is_healthy) {
  const Compiled compiled_from = compile(from, is_healthy, nullptr);
  const auto before = pools_of(compiled_from);
  const auto after = pools_of(compile(to, is_healthy, &compiled_from));
  std::set<std::string> names;
  for (const auto* pools : {&before, &after}) {
    for (const auto& [name, pool] : *pools) {
      names.insert(name);
    }
  }
  std::vector<PoolPreview> previews;
  for (const std::string& name : names) {
    if (!after.contains(name)) {
      previews.push_back({name, "removed", 1});
    } else if (!before.contains(name)) {
      previews.push_back({name, "added", 1});
    } else if (!(*named(from, name) == *named(to, name))) {
      previews.push_back({name, "changed", moved_share(*before.at(name), *after.at(name))});
    }
  }
  return previews;
}

}  // namespace maglb
