// Keeps a failure of our own network from emptying every table. Pure; time is passed in.
//
// When the last outcomes of all targets are failures, and the round before was good, it is not the servers
// that died together. A hold begins when, for the first time since a probe succeeded,
//   - every target that has an outcome failed in its last one, and those are at least two;
//   - at least half of the backends that are probed were good: they are healthy, or became unhealthy after
//     the last success of any target (a pool whose `fall` is 1 is in its first failed round already).
// The backends that were good are held: they count as healthy, those put back that had just left.
// The hold ends
//   - "recovered", when one target succeeds: from then on probes are judged as ever;
//   - "given up", when each held backend has failed `fall` times more: they are dead for all we know. There
//     is no other hold before a target has succeeded.
//
// look() has to be called a few times a probe interval and after every transition: it tells when the last
// success was no better than from one call to the next.
//
// Threads: the caller's one.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "controlplane/desired/verdicts.h"
#include "controlplane/probe/prober.h"

namespace maglb {

// A backend that is probed, as it stands.
struct ProbedBackend {
  BackendKey key;
  Health health = Health::kUnknown;
  WallTime since{};          // of that health
  uint64_t consecutive = 0;  // outcomes alike in a row
  uint32_t fall = 1;
};

class NetworkGuard {
 public:
  enum class Turn : uint8_t { kNone, kBegun, kRecovered, kGivenUp };

  using Everyone = std::function<std::vector<ProbedBackend>()>;
  // How many outcomes alike it has had in a row; nothing: it is probed no more, or cannot be for now.
  using FailuresOf = std::function<std::optional<uint64_t>(const BackendKey&)>;

  // What changed with this look. `everyone` is asked when a hold may begin, `failures_of` while one lasts.
  Turn look(const ProbeCounters& counters, const Everyone& everyone, const FailuresOf& failures_of,
            WallTime now);
  // Ends a hold without a word: the operator wants none.
  void disarm();

  bool holding() const { return !held_.empty(); }
  bool holds(const BackendKey& backend) const { return held_.contains(backend); }
  const std::set<BackendKey>& held() const { return held_; }
  // Those of the last hold that ended.
  const std::set<BackendKey>& released() const { return released_; }

 private:
  struct Goal {
    BackendKey backend;
    uint64_t failures = 0;
  };

  void note_successes(uint64_t successes, WallTime now);
  bool begin(const std::vector<ProbedBackend>& everyone);
  bool all_have_failed_enough(const FailuresOf& failures_of);

  void release();

  std::set<BackendKey> held_;
  std::set<BackendKey> released_;
  std::deque<Goal> goals_;  // of the held that have not failed enough yet
  bool judged_ = false;     // this run of failures has had its hold, or was not worth one
  uint64_t successes_ = 0;
  WallTime last_look_{};
  WallTime last_success_{};  // or somewhat before
};

}  // namespace maglb
