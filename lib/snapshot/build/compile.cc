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
    const ProbeConfig& probe = backend.health ? *backend.health : pool.health;
    const bool healthy = probe.type == ProbeType::kNone || is_healthy(pool.name, backend.name);
    backends.push_back({backend.name, backend.address, backend.weight, state_of(backend, healthy),
                        backend.server_ids,
                        backend.max_connections != 0 ? backend.max_connections : pool.max_connections});
  }
  std::sort(backends.begin(), backends.end(),
            [](const BackendSpec& a, const BackendSpec& b) { return a.name < b.name; });
  return backends;
}

// By index of `spec.backends`.
std::vector<uint8_t> in_table(const PoolSpec& spec) {
  std::vector<uint8_t> is_in(spec.backends.size());
  for (const uint16_t slot : spec.slots) {
    if (slot != kNoBackend) {
      is_in[slot] = 1;
    }
  }
  return is_in;
}

std::set<std::string_view> names_in_table(const PoolSpec& spec) {
  const std::vector<uint8_t> is_in = in_table(spec);
  std::set<std::string_view> names;
  for (size_t i = 0; i < is_in.size(); ++i) {
    if (is_in[i] != 0) {
      names.insert(spec.backends[i].name);
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
  const std::vector<uint8_t> is_in = in_table(spec);
  for (size_t k = 0; k < spec.backends.size(); ++k) {
    const size_t i = index_of(members, spec.backends[k].name);
    const uint32_t now = i == members.size() ? 0 : members[i].weight;
    if (now != (is_in[k] != 0 ? spec.backends[k].weight : 0)) {
      return false;
    }
  }
  return std::all_of(members.begin(), members.end(), [&](const maglev::Member& member) {
    const size_t k = index_of(spec.backends, member.name);
    return member.weight == 0 || (k != spec.backends.size() && is_in[k] != 0);
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

bool same(const std::shared_ptr<const PoolSpec>& a, const std::shared_ptr<const PoolSpec>& b) {
  return a == b || *a == *b;
}

}  // namespace

CompiledPool compile_pool(const PoolConfig& pool, uint64_t seed, const HealthOf& is_healthy,
                          const CompiledPool* last) {
  const PoolSpec* before = last == nullptr ? nullptr : last->spec.get();
  auto spec = std::make_shared<PoolSpec>();
  spec->name = pool.name;
  spec->seed = seed;
  spec->scheduler = pool.scheduler;
  spec->source_prefix_v4 = pool.source_prefix_v4;
  spec->source_prefix_v6 = pool.source_prefix_v6;
  spec->passive = pool.passive;
  spec->backends = backends_of(pool, is_healthy);
  const Membership membership = membership_of(pool, spec->backends, before);
  const bool same_table = before != nullptr && before->seed == seed &&
                          before->slots.size() == pool.table_size &&
                          has_the_members_of(*before, membership.members);
  spec->slots = same_table ? renumbered(*before, spec->backends)
                           : maglev::build(membership.members, pool.table_size, seed);
  CompiledPool next{std::move(spec), membership.stale};
  if (last != nullptr && same(last->spec, next.spec)) {
    next.spec = last->spec;
  }
  return next;
}

std::shared_ptr<const std::vector<ServiceSpec>> compile_services(
    const ServiceConfig& config, std::shared_ptr<const std::vector<ServiceSpec>> before) {
  auto services = services_of(config);
  return before != nullptr && *before == services
             ? std::move(before)
             : std::make_shared<const std::vector<ServiceSpec>>(std::move(services));
}

const CompiledPool* find_pool(const Compiled& compiled, std::string_view name) {
  const auto at =
      std::lower_bound(compiled.pools.begin(), compiled.pools.end(), name,
                       [](const CompiledPool& pool, std::string_view n) { return pool.spec->name < n; });
  return at != compiled.pools.end() && at->spec->name == name ? &*at : nullptr;
}

Compiled compile(const ServiceConfig& config, const HealthOf& is_healthy, const Compiled* before) {
  Compiled compiled;
  for (const PoolConfig& pool : config.pools) {
    const CompiledPool* last = before == nullptr ? nullptr : find_pool(*before, pool.name);
    compiled.pools.push_back(compile_pool(pool, config.seed, is_healthy, last));
  }
  std::sort(compiled.pools.begin(), compiled.pools.end(),
            [](const CompiledPool& a, const CompiledPool& b) { return a.spec->name < b.spec->name; });
  compiled.services = compile_services(config, before == nullptr ? nullptr : before->services);
  return compiled;
}

Change difference(const Compiled* base, uint64_t base_generation, const Compiled& wanted,
                  uint64_t generation) {
  static const std::vector<CompiledPool> kNoPools;
  Change change;
  change.generation = generation;
  change.base_generation = base == nullptr ? 0 : base_generation;
  const std::vector<CompiledPool>& before = base == nullptr ? kNoPools : base->pools;
  // Both are sorted by name: one walk, and where nothing changed no more than a look at two pointers.
  auto old = before.begin();
  for (const CompiledPool& pool : wanted.pools) {
    while (old != before.end() && old->spec != pool.spec && old->spec->name < pool.spec->name) {
      change.removed_pools.push_back(old->spec->name);
      ++old;
    }
    const bool is_there =
        old != before.end() && (old->spec == pool.spec || old->spec->name == pool.spec->name);
    if (!is_there || !same(old->spec, pool.spec)) {
      change.pools.push_back(pool.spec);
    }
    old += is_there ? 1 : 0;
  }
  for (; old != before.end(); ++old) {
    change.removed_pools.push_back(old->spec->name);
  }
  if (base == nullptr || (base->services != wanted.services && *base->services != *wanted.services)) {
    change.services = *wanted.services;
  }
  return change;
}

bool forwards_alike(const Compiled& a, const Compiled& b) {
  return (a.services == b.services || *a.services == *b.services) &&
         std::equal(a.pools.begin(), a.pools.end(), b.pools.begin(), b.pools.end(),
                    [](const CompiledPool& x, const CompiledPool& y) { return same(x.spec, y.spec); });
}

}  // namespace maglb
