// Stage 3: the backend of each packet. The flow's entry decides where there is one that still holds;
// the pool's table decides otherwise. The rules, one cell of the table in a line:
//
//   backend is                | TCP, no SYN | SYN                     | UDP
//   up                        | keep        | keep if opening,        | keep
//                             |             | else reschedule         |
//   drain                     | keep        | reschedule              | keep until idle
//   unhealthy, down, removed  | reschedule, | reschedule              | reschedule
//                             | or keep if the service says so        |
//
// A packet that opens no flow and misses its own worker's table looks in the others', within a
// budget, before it goes by the pool's table. What it finds there it adopts.
//
// A packet of an established flow whose entry stands as it is needs none of the rules: track() sees to
// those itself and leaves every other to track.cc.
#pragma once

#include <algorithm>

#include "lib/lb/batch.h"
#include "lib/lb/decide.h"
#include "lib/lb/schedule.h"
#include "lib/lb/worker_context.h"
#include "lib/net/wire.h"

namespace maglb {

// How long the service remembers an idle flow of that state.
inline Duration timeout_of(const ServiceView& service, FlowState state) {
  return service.timeouts.of(static_cast<size_t>(state));
}

// How long nothing has come of a flow that is in that state and expires then.
inline Duration idle_of(const ServiceView& service, FlowState state, Deadline expires, Tick now) {
  return std::max(timeout_of(service, state) - expires.left(now), Duration(0));
}

// Whether an entry's backend still gets a packet of the flow; null: it is gone.
bool entry_holds(const FlowEntry& entry, const BackendView* backend, bool is_syn, bool is_tcp,
                 bool keep_on_failure);

// For the sweep between bursts: whether an entry may stay. One whose backend is gone may not, so that
// the backend's place can be given away.
//
// Where the snapshot says that nothing removed waits (has_removed()), every entry may, unseen: looking up the
// backends of a whole table misses the cache with nearly each. A place is given away after a whole pass of
// every worker that began when the removal had been published (Registry::collect()). From then until it is
// given away its record is kRemoved, so every snapshot that such a pass can meet, that of the removal or a
// later one, has has_removed(), and the pass looks at every entry. Nor does a worker make an entry for the
// place with any of those: no table of slots names it, and an adopted entry is held against the snapshot. A
// name that comes back takes its old place and clears the mark, and its entries are good again.
bool entry_may_stay(const FlowEntry& entry, const Snapshot& snapshot);

// By the rules. `found`: the flow's entry, expired or not; null if there is none. The packet's backend, or
// null: it is dropped, as the pool has no backend for it.
const BackendView* track_by_rules(Batch& batch, size_t i, WorkerContext& worker, Time now,
                                  const std::atomic<uint64_t>* found);

// Makes or changes the flow's entry to name that place of its pool, whatever it named: for packets that say
// themselves where they go. REQUIRES: the notes name service, pool and digest; not TCP.
void remember(const Batch& batch, size_t i, WorkerContext& worker, uint16_t place, Time now);

// The backend of a packet that changes nothing: its flow is established on a backend that is up, and was
// renewed lately. Null: it is not one of those.
inline const BackendView* established_backend(FlowValue value, const ServiceView& service,
                                              const PoolView& pool, uint8_t tcp_flags, Tick tick) {
  static_assert(static_cast<int>(FlowState::kEstablished) % 2 == 1 &&
                static_cast<int>(FlowState::kUdp) % 2 == 1);
  const auto state = static_cast<size_t>(value.state());
  const BackendView* const backend = pool.backends.data() + value.place();
  if ((tcp_flags & (kTcpSyn | kTcpFin | kTcpRst)) != 0 || state % 2 == 0 || value.pool() != pool.number ||
      backend >= pool.backends.data() + pool.backends.size() || backend->state != PlaceState::kUp ||
      value.expires().units_left(tick) <= service.timeouts.renew_units[state]) [[unlikely]] {
    return nullptr;
  }
  return backend;
}

// Where the flow's entry would be: hashed, and on its way to the cache.
// REQUIRES: classify() has seen the packet.
template <typename Instructions>
inline void seek(Batch& batch, size_t i, WorkerContext& worker) {
  Batch::Notes& notes = batch.notes[i];
  notes.digest = Instructions::digest(worker.flow_hash, notes.parsed.key, notes.service->id);
  worker.flows.prefetch(notes.digest);
}

// True: the packet's notes name its backend. REQUIRES: seek() has seen the packet.
template <typename Instructions>
inline bool track(Batch& batch, size_t i, WorkerContext& worker, Time now) {
  Batch::Notes& notes = batch.notes[i];
  const std::atomic<uint64_t>* found =
      notes.service->track_flows ? worker.flows.probe(notes.digest, Instructions::match) : nullptr;
  if (found != nullptr) {
    notes.backend = established_backend(FlowValue(found->load(std::memory_order_relaxed)), *notes.service,
                                        *notes.pool, notes.parsed.tcp_flags, Tick::at(now));
    if (notes.backend != nullptr) {
      return true;
    }
  }
  notes.backend = track_by_rules(batch, i, worker, now, found);
  // Said in so many words, or the compiler keeps more in registers than there are.
  if (notes.backend == nullptr) [[unlikely]] {
    return false;
  }
  return true;
}

}  // namespace maglb
