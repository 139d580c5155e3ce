// Which backend a new flow goes to, by its pool's scheduler (lib/net/scheduler.h), and what a worker keeps
// for that. Out of line: a packet of a known flow comes nowhere near it.
//
//   maglev, source-hash   the slot of the pool's table, then the slots behind it
//   round-robin           the pool's cycle (lib/snapshot/view/interleave.h), from where this worker is in it;
//                         workers begin evenly apart, so that together they do not begin with one backend
//   random                a draw by weight
//   least-connections     two draws by weight, of which the one with fewer flows for its weight: with n
//                         backends and any number of flows the fullest is O(log log n) flows above the mean
//                         (Azar, Broder, Karlin, Upfal 1994), for a look at two. Two draws find no faster one
//                         for a quarter of the flows where half of the backends are slow: up to three times
//                         as slow is evened out, what is beyond that in part
//
// A backend at its max_connections is passed over for the scheduler's next choice, kTries of them, and then
// for the next of the candidates in a row, kWalk of them. So of a pool of up to kWalk backends a flow is
// refused only when all are full; of a larger one when that many together were.
//
// The bound is the machine's. A worker knows its own flows exactly and the others' as the main core last told
// it (lib/flow/backend_flows.h), so a backend gets at most max_connections + what the *other* workers opened
// on it since: with W workers and at most r new flows between two sums on each, max_connections + (W - 1) r.
//
// What is chosen so: what opens a flow (a SYN, or a datagram of a flow without an entry) and whose entry is
// stored. A flow that is moved because its backend is gone goes by the table, past
// backends at their bound. A packet in the middle of a connection that has no entry goes by the table alone:
// it may be another machine's flow, whose bound was asked there.
//
// Deterministic: the same packets, times and seed give the same choices.
//
// Threads: one worker's each; flows.set_others() is the main core's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "lib/base/siphash.h"
#include "lib/flow/backend_flows.h"
#include "lib/lb/counters.h"
#include "lib/snapshot/view/snapshot.h"

namespace maglb {

struct WorkerContext;

class Scheduling {
 public:
  // `key` seeds the draws. REQUIRES: worker < workers; pools_limit > 0.
  Scheduling(uint32_t worker, uint32_t workers, const SipKey& key, size_t pools_limit, size_t backends_limit,
             std::pmr::memory_resource* memory);

  BackendFlows flows;

  // SplitMix64. Whoever knows the key's state knows the draws, as with the table: load is all they spread.
  uint64_t random() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // Where in the pool's cycle this worker is, `ahead` turns from now.
  uint32_t position(const PoolView& pool, uint32_t ahead) const {
    const uint64_t length = pool.candidates.cycle_length();
    return static_cast<uint32_t>((turns_of(pool) + ahead + worker_ * length / workers_) % length);
  }
  void take_turns(const PoolView& pool, uint32_t turns) { turns_[pool.number % turns_.size()] += turns; }

 private:
  uint64_t turns_of(const PoolView& pool) const { return turns_[pool.number % turns_.size()]; }

  uint64_t worker_;
  uint64_t workers_;
  uint64_t state_;
  std::pmr::vector<uint64_t> turns_;  // by pool number
};

// Where entries come from and go to is counted from here on by this snapshot. Before a table is changed.
inline void count_flows_by(const Snapshot& snapshot, Scheduling* scheduling) {
  if (scheduling != nullptr) {
    scheduling->flows.use(snapshot.place_counters());
  }
}

// A scheduler's choice; it counts when the flow's entry was stored.
struct Choice {
  uint16_t place = kNoBackend;  // kNoBackend: all are full
  uint32_t turns = 0;           // of the cycle that it took
};

enum class Asking : uint8_t {
  kNewFlow,    // the scheduler, within bounds
  kMovedFlow,  // the table, within bounds
};

// `slot`: of the packet's in the pool's table. `own`: the place that the flow counts at already, kNoBackend
// if none. What finds its first choice full is counted there. REQUIRES: the pool's slots name backends.
Choice choose(Asking asking, const PoolView& pool, uint32_t slot, uint16_t own, WorkerContext& worker);

// The flow's entry names the choice.
void settle(const Choice& choice, const PoolView& pool, WorkerContext& worker);

}  // namespace maglb
