// The health probes: one for each distinct target, however many backends and pools lean on it, each at
// its interval on the control plane's event loop.
//
// A user is a backend of a pool. It usually has one target; a pool whose probe names no port and whose
// services have several has more, and then it is healthy when all of them are.
//
// Schedule: a target's first attempt starts at once, behind the others of the same call at 100 us
// apart (closer when they would not fit in an interval). Later ones start `interval` after the start
// before, less a random 0..1/16, so that targets drift apart: jitter only ever makes it earlier. While a
// target's health is not settled (health_state.h), `fast_interval` takes the interval's place. An
// attempt's timeout covers connect, request and response. From the last answer of a server to kUnhealthy
// there pass at most fall * interval + timeout, while the loop keeps up.
//
// Invariants:
//   1. A target has at most one attempt at a time; where the timeout is longer than the interval, the
//      next starts when the one before has ended.
//   2. At most max_in_flight attempts are under way, and 32 of exec beside them. Attempts beyond wait in
//      the order of their turn; their timeout starts with them.
//   3. An attempt that failed on our side (no descriptor, memory or port) is skipped: counted, logged,
//      and no evidence about the backend.
//   4. An unchanged target keeps its state through set_users().
//   5. A target with a fault has no attempt, its health is unknown, and its reason is the fault.
//   6. A mark that changes, and a fault that comes or goes, are none of the backend's: what a target's
//      outcomes had come to, counts and cool-down too, waits for the target that asks the same.
//
// Threads: all of it on the io_context's one thread. It may be destroyed at any time but from its own
// callback; attempts under way are dropped without a call.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/probe/health_state.h"
#include "controlplane/probe/probe_histogram.h"
#include "controlplane/probe/target.h"
#include "lib/base/clock.h"
#include "lib/bpf/probe_path.h"

namespace maglb {

// What was known of a backend before this process, as the store keeps it.
struct KnownHealth {
  bool healthy = false;
  WallTime since{};
  std::string reason;
};

struct ProbeUser {
  std::string pool;
  std::string backend;
  ProbeTarget target;
  std::optional<KnownHealth> known = {};  // used when the target is new here
  // Through which tunnel; the target's mark comes from it (tunnel_marks.h). None: direct.
  std::optional<ProbePath> path = {};
};

// Where a user stands: its worst target, told for people.
struct ProbeStatus {
  Health health = Health::kUnknown;
  std::string reason;        // of the last outcome: "http status 503, expected 200..399"
  WallTime since{};          // of the present health
  uint64_t consecutive = 0;  // outcomes alike in a row
  Duration latency{};        // of the last outcome
  WallTime last_outcome{};   // when it came; the epoch: none yet
};

struct ProbeCounters {
  uint64_t attempts = 0;  // = successes + failures + skipped + cancelled + in_flight
  uint64_t successes = 0;
  uint64_t failures = 0;
  uint64_t skipped = 0;    // a reason of our own
  uint64_t cancelled = 0;  // the target was removed meanwhile
  uint64_t in_flight = 0;
  uint64_t targets = 0;
  uint64_t waiting = 0;  // due, and held back by max_in_flight
  // How it looks right now: targets whose last outcome is known, and those of them where it was a failure.
  uint64_t with_outcome = 0;
  uint64_t failing = 0;
};

// Of the attempts of one type, as above.
struct ProbeTypeCounters {
  uint64_t attempts = 0;
  uint64_t successes = 0;
  uint64_t failures = 0;
  uint64_t skipped = 0;
  uint64_t cancelled = 0;
};

struct ProberOptions {
  uint32_t max_in_flight = 0;  // 0: half of RLIMIT_NOFILE, at most 16384
  uint64_t random_seed = 0;    // of the jitter; 0: from the kernel
};

class Prober {
 public:
  // Called when a user's health changes by a probe, after the new status can be read. It may call the
  // prober's functions.
  using OnTransition =
      std::function<void(const std::string& pool, const std::string& backend, const ProbeStatus& status)>;

  Prober(boost::asio::io_context& io, OnTransition on_transition, ProberOptions options = {});
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  // Makes `users` the whole set: new targets start, vanished ones stop, the others go on. A user of
  // several targets is in it several times. A new target starts with what its users know of it, else
  // with the health that one of its users had before at the same address (so that a changed interval
  // does not forget), else unknown. Never calls back: the caller reads status() of what it changed.
  void set_users(std::vector<ProbeUser> users);

  // Nothing when there is no such user.
  std::optional<ProbeStatus> status(std::string_view pool, std::string_view backend) const;

  ProbeCounters counters() const;
  // REQUIRES: type is not kNone.
  ProbeTypeCounters counters(ProbeType type) const;

  // How long the probes of a pool's targets took since the pool was first probed; null when it is not. Valid
  // until the next set_users().
  const ProbeLatency* latency(std::string_view pool) const;

  // How much later than their turn attempts began.
  const ProbeHistogram& lateness() const;

  // The last outcome of every target that has one was a failure: ours is the network that is gone, or all
  // backends are. False while no target has an outcome. Known at once, whatever the number of targets;
  // counters().with_outcome says how many they are. True already within the call to OnTransition that
  // the last failure causes.
  bool all_failing() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace maglb
