#include "controlplane/desired/drain_deadlines.h"

#include <algorithm>
#include <utility>

namespace maglb {

void DrainDeadlines::remember(const StoredDrain& row) {
  Drain& drain = drains_[{row.pool, row.backend}];
  drain.began = row.began;
  drain.passed = row.passed;
}

DrainDeadlines::Change DrainDeadlines::follow(const ServiceConfig& config, Wall now, bool may_return) {
  Change change;
  std::map<BackendKey, Drain> after;
  drains_.merge(std::exchange(aside_, {}));
  for (const PoolConfig& pool : config.pools) {
    for (const BackendConfig& backend : pool.backends) {
      if (backend.state != AdminState::kDrain) {
        continue;
      }
      const BackendKey key{pool.name, backend.name};
      const auto before = drains_.find(key);
      Drain drain = before != drains_.end() ? before->second : Drain{now, {}, {}, false};
      if (before == drains_.end()) {
        change.began.push_back(key);
      }
      // A clock that was put back does not make a drain begin in the future.
      drain.began = std::min(drain.began, now);
      drain.deadline.reset();
      if (pool.drain_timeout > Duration{}) {
        drain.deadline = drain.began + std::chrono::duration_cast<Wall::duration>(pool.drain_timeout);
      }
      drain.end = pool.drain_end;
      drain.passed = drain.passed && drain.deadline && *drain.deadline <= now;
      after.emplace(key, drain);
    }
  }
  for (const auto& [key, drain] : drains_) {
    if (after.contains(key)) {
      continue;
    }
    if (may_return) {
      aside_.emplace(key, drain);
    } else {
      change.forgotten.push_back(key);
    }
  }
  drains_ = std::move(after);
  return change;
}

std::vector<BackendKey> DrainDeadlines::advance(Wall now) {
  std::vector<BackendKey> passed;
  for (auto& [key, drain] : drains_) {
    if (!drain.passed && drain.deadline && *drain.deadline <= now) {
      drain.passed = true;
      passed.push_back(key);
    }
  }
  return passed;
}

std::optional<DrainDeadlines::Wall> DrainDeadlines::next_deadline() const {
  std::optional<Wall> next;
  for (const auto& [key, drain] : drains_) {
    if (!drain.passed && drain.deadline) {
      next = std::min(next.value_or(*drain.deadline), *drain.deadline);
    }
  }
  return next;
}

const DrainDeadlines::Drain* DrainDeadlines::find(const BackendKey& backend) const {
  const auto found = drains_.find(backend);
  return found == drains_.end() ? nullptr : &found->second;
}

bool DrainDeadlines::is_closed(const BackendKey& backend) const {
  const Drain* drain = find(backend);
  return drain != nullptr && drain->passed && drain->end == DrainEnd::kClose;
}

StoredDrain DrainDeadlines::row(const BackendKey& backend) const {
  const Drain& drain = drains_.at(backend);
  return {backend.first, backend.second, drain.began, drain.passed};
}

}  // namespace maglb
