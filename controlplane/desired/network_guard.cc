#include "controlplane/desired/network_guard.h"

#include <utility>

namespace maglb {

// A success that this look sees came after the look before.
void NetworkGuard::note_successes(uint64_t successes, WallTime now) {
  if (successes != successes_) {
    successes_ = successes;
    last_success_ = last_look_;
  }
  last_look_ = now;
}

NetworkGuard::Turn NetworkGuard::look(const ProbeCounters& counters, const Everyone& everyone,
                                      const FailuresOf& failures_of, WallTime now) {
  note_successes(counters.successes, now);
  if (counters.failing < counters.with_outcome) {
    judged_ = false;
    if (!holding()) {
      return Turn::kNone;
    }
    release();
    return Turn::kRecovered;
  }
  if (holding()) {
    if (!all_have_failed_enough(failures_of)) {
      return Turn::kNone;
    }
    release();
    return Turn::kGivenUp;
  }
  // At a start those that refuse answer before those that serve.
  if (judged_ || counters.with_outcome < 2 || 2 * counters.with_outcome < counters.targets) {
    return Turn::kNone;
  }
  judged_ = true;
  return begin(everyone()) ? Turn::kBegun : Turn::kNone;
}

bool NetworkGuard::begin(const std::vector<ProbedBackend>& everyone) {
  size_t known = 0;
  for (const ProbedBackend& backend : everyone) {
    known += backend.health != Health::kUnknown ? 1 : 0;
    const bool was_good =
        backend.health == Health::kHealthy ||
        (backend.health == Health::kUnhealthy && successes_ > 0 && backend.since >= last_success_);
    if (was_good) {
      held_.insert(backend.key);
      goals_.push_back({backend.key, backend.consecutive + backend.fall});
    }
  }
  if (2 * held_.size() < known) {
    disarm();
  }
  return holding();
}

// Each goal is looked at until it is reached and never again: many backends cost one look each.
bool NetworkGuard::all_have_failed_enough(const FailuresOf& failures_of) {
  while (!goals_.empty()) {
    const auto failures = failures_of(goals_.front().backend);
    if (failures && *failures < goals_.front().failures) {
      return false;
    }
    goals_.pop_front();
  }
  return true;
}

void NetworkGuard::release() {
  released_ = std::exchange(held_, {});
  goals_.clear();
}

void NetworkGuard::disarm() {
  held_.clear();
  goals_.clear();
}

}  // namespace maglb
