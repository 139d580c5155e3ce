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
#pragma once

#include "lib/lb/batch.h"
#include "lib/lb/worker_context.h"

namespace maglb {

void track(Batch& batch, WorkerContext& worker, Time now);

// How long the service remembers an idle flow of that state.
Duration timeout_of(const ServiceView& service, FlowState state);

// Whether an entry's backend still gets a packet of the flow; null: it is gone.
bool entry_holds(const FlowEntry& entry, const BackendView* backend, bool is_syn, bool is_tcp,
                 bool keep_on_failure);

// For the sweep between bursts: whether an entry may stay. One whose backend is gone may not, so that
// the backend's place can be given away.
bool entry_may_stay(const FlowEntry& entry, const Snapshot& snapshot);

}  // namespace maglb
