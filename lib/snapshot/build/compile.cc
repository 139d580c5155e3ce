#include "lib/snapshot/build/compile.h"

#include <algorithm>
#include <set>

#include "lib/maglev/table.h"
#include "lib/snapshot/view/validate.h"

namespace maglb {
namespace {

// The dataplane takes whatever a document may have.
static_assert(kMaxPoolTableSize == kMaxTableSize && kMaxPoolBackends == kMaxBackendsPerPool &&
              kMaxWeight == kMaxBackendWeight && kMaxIdleTimeout == kLongestTimeout);

BackendState state_of(const BackendConfig& backend, bool healthy) {
  if (backend.state == AdminState::kDown) {
    return BackendState::kDown;
  }
  if (!healthy) {
    return BackendState::kUnhealthy;
  }
  return backend.state == AdminState::kDrain ? BackendState::kDrain : BackendState::kUp;
}

std::vector<BackendSpec> backends_of(const PoolConfig& pool, const HealthOf& is_healthy) {
  std::vector<BackendSpec> backends;
  for (const BackendConfig& backend : pool.backends) {
    const bool healthy = pool.health.type == ProbeType::kNone || is_healthy(pool.name, backend.name);
    backends.push_back({backend.name, backend.address, backend.weight, state_of(backend, healthy),
                        backend.server_ids,
                        backend.max_connections != 0 ? backend.max_connections : pool.max_connections});
  }
  std::sort(backends.begin(), backends.end(),
            [](const BackendSpec& a, const BackendSpec& b) { return a.name < b.name; });
  return backends;
}

std::set<std::string_view> names_in_table(const PoolSpec& spec) {
  std::set<std::string_view> names;
  for (const uint16_t slot : spec.slots) {
    if (slot != kNoBackend) {
      names.insert(spec.backends[slot].name);
    }
  }
  return names;
}

// Who is in the table, by invariant 2. Weight 0 stands for "not in it".
struct Membership {
  std::vector<maglev::Member> members;  // of every backend, in their order
  bool stale = false;
};

Membership membership_of(const PoolConfig& pool, const std::vector<BackendSpec>& backends,
                         const PoolSpec* before) {
  std::set<std::string_view> wanted;
  for (const BackendConfig& backend : pool.backends) {
    if (backend.state == AdminState::kUp && backend.weight > 0) {
      wanted.insert(backend.name);
    }
  }
  std::set<std::string_view> chosen;
  for (const BackendSpec& backend : backends) {
    if (backend.state == BackendState::kUp && backend.weight > 0) {
      chosen.insert(backend.name);
    }
  }
  Membership membership;
  membership.stale = chosen.empty() && !wanted.empty();
  if (membership.stale && before != nullptr) {
    const auto last = names_in_table(*before);
    std::set_intersection(wanted.begin(), wanted.end(), last.begin(), last.end(),
                          std::inserter(chosen, chosen.end()));
  }
  if (membership.stale && chosen.empty()) {
    chosen = wanted;
  }
  for (const BackendSpec& backend : backends) {
    membership.members.push_back({backend.name, chosen.contains(backend.name) ? backend.weight : 0});
  }
  return membership;
}

// The index of a name among things sorted by name, or their number.
template <typename Named>
size_t index_of(const std::vector<Named>& sorted, std::string_view name) {
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), name,
                                   [](const Named& item, std::string_view n) { return item.name < n; });
  return at != sorted.end() && at->name == name ? static_cast<size_t>(at - sorted.begin()) : sorted.size();
}

bool has_the_members_of(const PoolSpec& spec, const std::vector<maglev::Member>& members) {
  const auto in_table = names_in_table(spec);
  for (const BackendSpec& backend : spec.backends) {
    const size_t i = index_of(members, backend.name);
    const uint32_t now = i == members.size() ? 0 : members[i].weight;
    if (now != (in_table.contains(backend.name) ? backend.weight : 0)) {
      return false;
    }
  }
  return std::all_of(members.begin(), members.end(), [&](const maglev::Member& member) {
    return member.weight == 0 || in_table.contains(member.name);
  });
}

// The slots of `before` as indexes of `backends`, where both have the same members.
std::vector<uint16_t> renumbered(const PoolSpec& before, const std::vector<BackendSpec>& backends) {
  std::vector<uint16_t> now;
  for (const BackendSpec& backend : before.backends) {
    now.push_back(static_cast<uint16_t>(index_of(backends, backend.name)));
  }
  std::vector<uint16_t> slots = before.slots;
  for (uint16_t& slot : slots) {
    slot = slot == kNoBackend ? kNoBackend : now[slot];
  }
  return slots;
}

CompiledPool pool_of(const ServiceConfig& config, const PoolConfig& pool, const HealthOf& is_healthy,
                     const PoolSpec* before) {
  auto spec = std::make_shared<PoolSpec>();
  spec->name = pool.name;
  spec->seed = config.seed;
  spec->scheduler = pool.scheduler;
  spec->source_prefix_v4 = pool.source_prefix_v4;
  spec->source_prefix_v6 = pool.source_prefix_v6;
  spec->backends = backends_of(pool, is_healthy);
  const Membership membership = membership_of(pool, spec->backends, before);
  const bool same_table = before != nullptr && before->seed == config.seed &&
                          before->slots.size() == pool.table_size &&
                          has_the_members_of(*before, membership.members);
  spec->slots = same_table ? renumbered(*before, spec->backends)
                           : maglev::build(membership.members, pool.table_size, config.seed);
  return {std::move(spec), membership.stale};
}

std::vector<ServiceSpec> services_of(const ServiceConfig& config) {
  std::vector<ServiceSpec> services;
  for (const ServiceEntry& entry : config.services) {
    ServiceSpec spec;
    spec.name = entry.name;
    spec.address = entry.address;
    spec.protocol = entry.protocol;
    spec.port = entry.port;
    spec.pool = entry.pool;
    spec.forward = entry.forward;
    spec.options = entry.options;
    spec.keep_on_failure = entry.on_failure == OnFailure::kKeep;
    spec.track_flows = entry.flow;
    spec.opening_timeout = entry.timeouts.opening;
    spec.established_timeout = entry.timeouts.established;
    spec.closing_timeout = entry.timeouts.closing;
    spec.udp_timeout = entry.timeouts.udp;
    services.push_back(std::move(spec));
  }
  std::sort(services.begin(), services.end(),
            [](const ServiceSpec& a, const ServiceSpec& b) { return a.name < b.name; });
  return services;
}

const CompiledPool* find(const Compiled* compiled, std::string_view name) {
  if (compiled == nullptr) {
    return nullptr;
  }
  const auto at =
      std::lower_bound(compiled->pools.begin(), compiled->pools.end(), name,
                       [](const CompiledPool& pool, std::string_view n) { return pool.spec->name < n; });
  return at != compiled->pools.end() && at->spec->name == name ? &*at : nullptr;
}

bool same(const std::shared_ptr<const PoolSpec>& a, const std::shared_ptr<const PoolSpec>& b) {
  return a == b || *a == *b;
}

}  // namespace

Compiled compile(const ServiceConfig& config, const HealthOf& is_healthy, const Compiled* before) {
  Compiled compiled;
  for (const PoolConfig& pool : config.pools) {
    const CompiledPool* last = find(before, pool.name);
    CompiledPool next = pool_of(config, pool, is_healthy, last == nullptr ? nullptr : last->spec.get());
    if (last != nullptr && same(last->spec, next.spec)) {
      next.spec = last->spec;
    }
    compiled.pools.push_back(std::move(next));
  }
  std::sort(compiled.pools.begin(), compiled.pools.end(),
            [](const CompiledPool& a, const CompiledPool& b) { return a.spec->name < b.spec->name; });
  auto services = services_of(config);
  compiled.services = before != nullptr && *before->services == services
                          ? before->services
                          : std::make_shared<const std::vector<ServiceSpec>>(std::move(services));
  return compiled;
}

Change difference(const Compiled* base, uint64_t base_generation, const Compiled& wanted,
                  uint64_t generation) {
  Change change;
  change.generation = generation;
  change.base_generation = base == nullptr ? 0 : base_generation;
  for (const CompiledPool& pool : wanted.pools) {
    const CompiledPool* old = find(base, pool.spec->name);
    if (old == nullptr || !same(old->spec, pool.spec)) {
      change.pools.push_back(pool.spec);
    }
  }
  if (base != nullptr) {
    for (const CompiledPool& pool : base->pools) {
      if (find(&wanted, pool.spec->name) == nullptr) {
        change.removed_pools.push_back(pool.spec->name);
      }
    }
  }
  if (base == nullptr || *base->services != *wanted.services) {
    change.services = *wanted.services;
  }
  return change;
}

bool forwards_alike(const Compiled& a, const Compiled& b) {
  return *a.services == *b.services &&
         std::equal(a.pools.begin(), a.pools.end(), b.pools.begin(), b.pools.end(),
                    [](const CompiledPool& x, const CompiledPool& y) { return same(x.spec, y.spec); });
}

}  // namespace maglb
