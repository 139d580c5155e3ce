#include "controlplane/desired/pool_plan.h"

#include "controlplane/desired/fallback.h"

namespace maglb {
namespace {

// Of the pool alone.
PoolPlan own_part(const PoolConfig& pool, const Lives& lives) {
  const auto is_healthy = [&](const BackendConfig& backend) {
    return lives.verdicts.is_healthy(pool.name, backend.name);
  };
  PoolPlan plan;
  plan.pool = pool;
  plan.count = count_pool(pool, lives.verdicts);
  plan.needed = needed_healthy(pool.min_healthy, plan.count.wanted);
  plan.panic = is_panic(pool.min_healthy, plan.count);
  for (BackendConfig& backend : plan.pool.backends) {
    if (is_healthy(backend) || (plan.panic && is_wanted(backend))) {
      plan.healthy.insert(backend.name);
    }
    const BackendKey key{pool.name, backend.name};
    if (lives.drains.is_closed(key)) {
      backend.state = AdminState::kDown;
    }
    if (!plan.panic) {
      backend.weight = lives.slow_start.weight_of(key, backend.weight);
    }
  }
  return plan;
}

}  // namespace

PoolPlan plan_pool(const PoolConfig& pool, const PoolConfig* fallback, const Lives& lives, bool served) {
  PoolPlan plan = own_part(pool, lives);
  if (fallback == nullptr) {
    return plan;
  }
  // Each pool's bound is for its own.
  for (BackendConfig& backend : plan.pool.backends) {
    backend.max_connections =
        backend.max_connections != 0 ? backend.max_connections : plan.pool.max_connections;
  }
  plan.pool.max_connections = 0;
  const PoolPlan other = own_part(*fallback, lives);
  const PoolCount serving = other.panic ? PoolCount{other.count.wanted, other.count.wanted, 0} : other.count;
  plan.on_fallback = fallback_serves(plan.count, plan.panic, serving, served);
  if (plan.on_fallback) {
    std::erase_if(plan.healthy,
                  [&](const std::string& name) { return !lives.verdicts.is_judged(pool.name, name); });
  }
  add_fallback(plan.pool, other.pool, plan.on_fallback);
  for (const std::string& name : other.healthy) {
    plan.healthy.insert(fallback_name(fallback->name, name));
  }
  return plan;
}

}  // namespace maglb
