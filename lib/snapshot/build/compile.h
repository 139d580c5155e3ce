// Configuration and health -> forwarding state.
//
// Invariants of what compile() returns:
//   1. Pools, the backends of a pool and services are sorted by name: the order of the file changes
//      nothing.
//   2. A pool's table has the backends that the operator wants up, that are healthy and that have a
//      weight. If none of those that are wanted is healthy, the pool is `stale`: the members of the
//      table before stay in it (at the first time, all that are wanted), and they are served.
//   3. A backend that fails its probes is kUnhealthy even when it drains: flows are moved off it.
//   4. A pool that is equal to the one in `before` is the same object, and a table whose members are
//      the same is not built again: a change costs what it changes.
//
// Threads: none; functions of their arguments.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/config/service/model.h"
#include "lib/snapshot/view/forwarding_state.h"

namespace maglb {

// Whether a backend may be given packets: (pool, backend) -> healthy.
using HealthOf = std::function<bool(std::string_view pool, std::string_view backend)>;

struct CompiledPool {
  std::shared_ptr<const PoolSpec> spec;
  bool stale = false;
};

// The whole forwarding state, shared in parts with those before and after it.
struct Compiled {
  std::vector<CompiledPool> pools;
  std::shared_ptr<const std::vector<ServiceSpec>> services;
};

// One pool. Its backends' states and weights are what is to be compiled: a caller that ramps a weight, or
// has a backend of another pool in it, hands in a pool that says so. `before`: as it was, or null.
CompiledPool compile_pool(const PoolConfig& pool, uint64_t seed, const HealthOf& is_healthy,
                          const CompiledPool* before);

// `before` where it has the same services.
std::shared_ptr<const std::vector<ServiceSpec>> compile_services(
    const ServiceConfig& config, std::shared_ptr<const std::vector<ServiceSpec>> before);

// REQUIRES: config has been validated. `before`: what was compiled last, or null.
Compiled compile(const ServiceConfig& config, const HealthOf& is_healthy, const Compiled* before);

// What leads from `base` to `wanted`; the whole state where there is no base (null, generation 0).
Change difference(const Compiled* base, uint64_t base_generation, const Compiled& wanted,
                  uint64_t generation);

// Null: it has no such pool.
const CompiledPool* find_pool(const Compiled& compiled, std::string_view name);

// Whether both forward alike.
bool forwards_alike(const Compiled& a, const Compiled& b);

}  // namespace maglb
