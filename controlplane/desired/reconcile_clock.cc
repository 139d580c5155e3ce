// Reconciler: what happens because time passes, and because everything fails at once.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "controlplane/desired/reconciler.h"

namespace maglb {
namespace {

using std::chrono::system_clock;

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void Reconciler::look_again() {
  look_timer_.expires_after(kLookInterval);
  look_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      look_at_network();
      look_again();
    }
  });
}

void Reconciler::look_at_network() {
  if (config_.network_failure == NetworkFailure::kAct) {
    guard_.disarm();
    return;
  }
  const auto failures_of = [this](const BackendKey& key) -> std::optional<uint64_t> {
    const auto status = prober_.status(key.first, key.second);
    const bool probed = status && status->health != Health::kUnknown;
    return probed ? std::optional(status->consecutive) : std::nullopt;
  };
  const auto turn = guard_.look(
      prober_.counters(), [this] { return everyone_probed(); }, failures_of, system_clock::now());
  if (turn == NetworkGuard::Turn::kNone) {
    return;
  }
  const bool begun = turn == NetworkGuard::Turn::kBegun;
  std::string text;
  if (begun) {
    text = fmt::format("the probes of all backends failed together: {} that were good are held",
                       guard_.held().size());
  } else if (turn == NetworkGuard::Turn::kRecovered) {
    text = "a probe succeeded: the hold is over";
  } else {
    text = "the probes of all backends go on failing: the hold is over, they count as dead";
  }
  spdlog::log(begun ? spdlog::level::err : spdlog::level::warn, "{}", text);
  events_.record(EventKind::kHold, "", "", text);
  Names pools = pools_held_against_probes(begun ? guard_.held() : guard_.released());
  if (!pools.empty()) {
    touched_.merge(pools);
    reconcile_soon();
  }
}

std::vector<ProbedBackend> Reconciler::everyone_probed() const {
  std::vector<ProbedBackend> everyone;
  for (const auto& [key, fall] : falls_) {
    if (const auto status = prober_.status(key.first, key.second); status) {
      everyone.push_back({key, status->health, status->since, status->consecutive, fall});
    }
  }
  return everyone;
}

// Where holding or not makes a difference.
Reconciler::Names Reconciler::pools_held_against_probes(const std::set<BackendKey>& held) const {
  Names pools;
  for (const BackendKey& key : held) {
    const auto status = prober_.status(key.first, key.second);
    if (status && status->health != Health::kHealthy) {
      pools.insert(key.first);
    }
  }
  return pools;
}

void Reconciler::follow_drains() {
  const DrainDeadlines::Change change =
      drains_.follow(config_, system_clock::now(), confirmation_.pending().has_value());
  for (const BackendKey& key : change.began) {
    const PoolConfig& pool = *pool_named(key.first);
    events_.record(EventKind::kDrain, key.first, key.second,
                   pool.drain_timeout > Duration{}
                       ? fmt::format("began: {} s until its flows are {}", seconds(pool.drain_timeout),
                                     pool.drain_end == DrainEnd::kClose ? "moved" : "left to themselves")
                       : std::string("began"));
  }
  for (const BackendKey& key : change.forgotten) {
    events_.record(EventKind::kDrain, key.first, key.second, "ended: it is no longer in drain");
  }
  save_drains(change.began, change.forgotten);
  pass_deadlines();
}

void Reconciler::pass_deadlines() {
  const std::vector<BackendKey> passed = drains_.advance(system_clock::now());
  for (const BackendKey& key : passed) {
    const bool closes = drains_.find(key)->end == DrainEnd::kClose;
    const std::string text = closes ? "its deadline has passed: it counts as down, its flows are moved"
                                    : "its deadline has passed: its flows stay until they end";
    spdlog::warn("pool {}: backend {} in drain: {}", key.first, key.second, text);
    events_.record(EventKind::kDrain, key.first, key.second, text);
    if (closes) {
      touch(key.first);
    }
  }
  save_drains(passed, {});
}

void Reconciler::arm_clock() {
  std::optional<Duration> wait;
  if (const auto step = slow_start_.next_step(); step) {
    wait = *step - monotonic_now();
  }
  if (const auto deadline = drains_.next_deadline(); deadline) {
    const Duration left = std::min<Duration>(*deadline - system_clock::now(), kLongestWait);
    wait = std::min(wait.value_or(left), left);
  }
  if (!wait) {
    clock_timer_.cancel();
    return;
  }
  clock_timer_.expires_after(std::max(*wait, Duration{}));
  clock_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      on_clock();
    }
  });
}

void Reconciler::on_clock() {
  for (const SlowStart::Step& step : slow_start_.advance(monotonic_now())) {
    touch(step.backend.first);
    if (step.is_last) {
      events_.record(EventKind::kRamp, step.backend.first, step.backend.second,
                     "ended: it has its whole weight");
    }
  }
  pass_deadlines();
  arm_clock();
}

}  // namespace maglb
