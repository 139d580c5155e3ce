// Reconciler: from what is known of backends to tables.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "controlplane/desired/reconciler.h"
#include "lib/base/parallel.h"

namespace maglb {
namespace {

// From so many pools on they are compiled on all cores.
constexpr size_t kManyPools = 16;

// Reserved at a time: a flapping backend does not wait for the disk at every turn.
constexpr uint64_t kGenerationBlock = 64;

}  // namespace

void Reconciler::index_pools() {
  pools_by_name_.clear();
  fallback_of_.clear();
  for (const PoolConfig& pool : config_.pools) {
    pools_by_name_[pool.name] = &pool;
    if (!pool.fallback.empty()) {
      fallback_of_[pool.fallback].push_back(pool.name);
    }
  }
}

const PoolConfig* Reconciler::pool_named(std::string_view name) const {
  const auto found = pools_by_name_.find(name);
  return found == pools_by_name_.end() ? nullptr : found->second;
}

// True when there was one.
bool Reconciler::drop_gone_pools() {
  verdicts_.forget_others(config_);
  slow_start_.keep_only([this](const BackendKey& key) {
    const PoolConfig* pool = pool_named(key.first);
    return pool != nullptr && find_backend(*pool, key.second) != nullptr;
  });
  return std::erase_if(tables_, [this](const auto& entry) { return pool_named(entry.first) == nullptr; }) !=
         0;
}

void Reconciler::on_transition(const std::string& pool, const std::string& backend,
                               const ProbeStatus& status) {
  ++transitions_;
  spdlog::log(status.health == Health::kHealthy ? spdlog::level::info : spdlog::level::warn,
              "pool {}: backend {} is {}: {}", pool, backend, to_string(status.health), status.reason);
  events_.record(EventKind::kHealth, pool, backend,
                 fmt::format("{}: {}", to_string(status.health), status.reason));
  look_at_network();
  touch(pool);
}

void Reconciler::touch(const std::string& pool) {
  touched_.insert(pool);
  reconcile_soon();
}

void Reconciler::reconcile_soon() {
  if (merging_) {
    return;
  }
  merging_ = true;
  merge_timer_.expires_after(kMergeTime);
  merge_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      merging_ = false;
      reconcile(std::exchange(touched_, {}));
    }
  });
}

// `changed`: the state differs already, whatever becomes of `pools`. `everyone`: these are all there are, and
// what is known of others is forgotten.
void Reconciler::reconcile(Names pools, bool changed, bool everyone) {
  const auto know = [this](const std::string& pool, const std::string& backend) {
    return opinion(pool, backend);
  };
  Names leaning;
  for (const std::string& name : pools) {
    const PoolConfig* pool = pool_named(name);
    if (pool == nullptr) {
      continue;
    }
    begin_ramps(*pool, verdicts_.judge_pool(*pool, know));
    if (const auto users = fallback_of_.find(name); users != fallback_of_.end()) {
      leaning.insert(users->second.begin(), users->second.end());
    }
  }
  pools.merge(leaning);
  changed = replan(pools) || changed;
  if (changed || generation() == 0) {
    state_ = {next_generation(), compiled_of(tables_, state_.compiled.services)};
    publisher_.want(std::make_shared<const NumberedState>(state_));
  }
  arm_clock();
  if (everyone) {
    return save_health(pools, !confirmation_.pending());
  }
  unsaved_.merge(pools);
  save_when_published();
}

void Reconciler::begin_ramps(const PoolConfig& pool, const std::vector<std::string>& recovered) {
  const auto table = tables_.find(pool.name);
  const bool was_in_panic = table != tables_.end() && table->second.panic;
  if (pool.slow_start <= Duration{} || was_in_panic) {
    return;
  }
  for (const std::string& name : recovered) {
    slow_start_.begin({pool.name, name}, pool.slow_start, monotonic_now());
    events_.record(EventKind::kRamp, pool.name, name,
                   fmt::format("began: its whole weight in {} s",
                               std::chrono::duration<double>(pool.slow_start).count()));
  }
}

// True when one of them is compiled to something else than before.
bool Reconciler::replan(const Names& names) {
  std::vector<const PoolConfig*> pools;
  for (const std::string& name : names) {
    if (const PoolConfig* pool = pool_named(name); pool != nullptr) {
      pools.push_back(pool);
    }
  }
  std::vector<Replanned> made(pools.size());
  const auto make = [&](size_t i) { made[i] = compiled(*pools[i]); };
  if (pools.size() >= kManyPools) {
    for_each_in_parallel(pools.size(), make);
  } else {
    for (size_t i = 0; i < pools.size(); ++i) {
      make(i);
    }
  }
  bool changed = false;
  for (size_t i = 0; i < pools.size(); ++i) {
    changed = take_table(*pools[i], std::move(made[i])) || changed;
  }
  return changed;
}

// Reads what is shared and changes nothing: on any thread while the loop's own waits.
Reconciler::Replanned Reconciler::compiled(const PoolConfig& pool) const {
  const auto place = tables_.find(pool.name);
  const bool served = place != tables_.end() && place->second.on_fallback;
  const PoolPlan plan = plan_pool(pool, pool_named(pool.fallback), {verdicts_, slow_start_, drains_}, served);
  const HealthOf is_healthy = [&plan](std::string_view, std::string_view backend) {
    return plan.healthy.contains(backend);
  };
  const CompiledPool last =
      place == tables_.end() ? CompiledPool{} : CompiledPool{place->second.spec, place->second.stale};
  const auto began = std::chrono::steady_clock::now();
  CompiledPool next =
      compile_pool(plan.pool, config_.seed, is_healthy, last.spec == nullptr ? nullptr : &last);
  Replanned made;
  made.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (next.spec != last.spec) {
    made.table.slots = count_slots(*next.spec);
  }
  made.table.spec = std::move(next.spec);
  made.table.stale = next.stale;
  made.table.count = plan.count;
  made.table.needed = plan.needed;
  made.table.panic = plan.panic;
  made.table.on_fallback = plan.on_fallback;
  return made;
}

// True when it differs from what was before.
bool Reconciler::take_table(const PoolConfig& pool, Replanned made) {
  PoolTable& table = tables_[pool.name];
  const PoolTable before = std::exchange(table, std::move(made.table));
  const bool same = table.spec == before.spec;
  if (same) {
    table.slots = before.slots;
  }
  builds_.seconds += made.seconds;
  builds_.tables += same ? 0 : 1;
  tell_rails(pool, before, table);
  return !same;
}

// What a pool came to, and what is over, loudly. A panic ends every ramp: all have their whole weight.
void Reconciler::tell_rails(const PoolConfig& pool, const PoolTable& before, const PoolTable& now) {
  const auto tell = [&](EventKind kind, bool begins, const std::string& text) {
    spdlog::log(begins ? spdlog::level::err : spdlog::level::info, "pool {}: {}", pool.name, text);
    events_.record(kind, pool.name, "", text);
  };
  if (now.stale && !before.stale) {
    spdlog::error("pool {}: every backend fails its probe, the last table stays", pool.name);
  }
  if (now.panic != before.panic) {
    tell(EventKind::kPanic, now.panic,
         fmt::format("{}: {} of {} backends are healthy, min_healthy asks for {}{}",
                     now.panic ? "panic" : "panic is over", now.count.healthy, now.count.wanted, now.needed,
                     now.panic ? ": all are treated as healthy" : ""));
  }
  if (now.on_fallback != before.on_fallback) {
    tell(EventKind::kFallback, now.on_fallback,
         now.on_fallback
             ? fmt::format("none of {} backends is healthy, pool {} serves", now.count.wanted, pool.fallback)
             : std::string("its fallback serves no longer"));
  }
  if (now.panic && !slow_start_.empty()) {
    for (const BackendConfig& backend : pool.backends) {
      if (slow_start_.cancel({pool.name, backend.name})) {
        events_.record(EventKind::kRamp, pool.name, backend.name, "ended by panic");
      }
    }
  }
}

uint64_t Reconciler::next_generation() {
  if (next_generation_ >= reserved_until_) {
    // A store that cannot write does not keep a dead backend in the table: numbers go on in memory.
    const uint64_t count = next_generation_ - reserved_until_ + kGenerationBlock;
    const auto first = store_.reserve_generations(count);
    if (first) {
      next_generation_ = std::max(next_generation_, *first);
      reserved_until_ = *first + count;
    } else {
      store_warning_ = first.error().message;
      spdlog::error("generations were not reserved: {}", store_warning_);
    }
  }
  return next_generation_++;
}

void Reconciler::stay_above(uint64_t generation) {
  if (generation > state_.generation) {
    next_generation_ = std::max(next_generation_, generation + 1);
    state_.generation = next_generation();
    publisher_.want(std::make_shared<const NumberedState>(state_));
  }
}

ProbeOpinion Reconciler::opinion(const std::string& pool, const std::string& backend) const {
  const auto status = prober_.status(pool, backend);
  if (!status) {
    return ProbeOpinion::kUnchecked;
  }
  if (guard_.holds({pool, backend})) {
    return ProbeOpinion::kHealthy;
  }
  switch (status->health) {
    case Health::kHealthy:
      return ProbeOpinion::kHealthy;
    case Health::kUnhealthy:
      return ProbeOpinion::kUnhealthy;
    case Health::kUnknown:
      return ProbeOpinion::kUnknown;
  }
  return ProbeOpinion::kUnknown;
}

}  // namespace maglb
