// The packet path, in the order the packet travels. Each stage is a function in a file of its own; nothing
// here allocates, locks, logs or calls the system. A burst goes over it twice: up to where the memory that
// each packet needs is known and asked for, then on from there. (A loop a stage would cost a third more:
// what one stage knows of a packet would go through memory to the next.)
//
// The path is compiled once for each set of instructions (lib/base/isa.h) and chosen when a program
// starts; WorkerContext::path is the chosen one.
#pragma once

#include "lib/base/clock.h"
#include "lib/lb/batch.h"
#include "lib/lb/classify.h"
#include "lib/lb/parse_stage.h"
#include "lib/lb/rewrite.h"
#include "lib/lb/track.h"
#include "lib/lb/worker_context.h"

namespace maglb {

// After it every packet is decided: kSend (the frame is ready for out_ports[i]; the driver's refusal
// is the caller's to count, as is `sent`), kKernel (the caller hands it over and counts), kDrop (counted),
// kHeld (the path has the buffer until fragments.h gives it back),
// or kHandOver (the worker that gets it counts it as received; if the caller cannot get rid of it, he counts
// it as received and dropped). `received` and `originated` are counted here. The frames are best on their way
// to the cache when they are added to the batch.
// REQUIRES: `now` does not go back from call to call of one worker.
inline void process(Batch& batch, const Snapshot& snapshot, WorkerContext& worker, Time now) {
  worker.path(batch, snapshot, worker, now);
}

template <typename Instructions>
inline void process_with(Batch& batch, const Snapshot& snapshot, WorkerContext& worker, Time now) {
  const size_t size = batch.size;
  count_flows_by(snapshot, worker.scheduling);
  for (size_t i = 0; i < size; ++i) {
    if (parse<Instructions>(batch, i, worker) &&      // bytes -> 5-tuple, or why not
        classify(batch, i, snapshot, worker, now)) {  // 5-tuple -> service and pool, else the kernel's
      seek<Instructions>(batch, i, worker);           // 5-tuple and service -> where the flow's entry is
    }
  }
  const OuterV4 outer(worker.tunnel_source);
  for (size_t i = 0; i < size; ++i) {
    if (batch.verdicts[i] == Verdict::kPending &&       //
        track<Instructions>(batch, i, worker, now)) {   // flow table, else the pool's table -> backend
      rewrite(batch, i, outer, snapshot, worker, now);  // encapsulate or readdress; too big is answered
    }
  }
  worker.counters.received.add(batch.is_released ? 0 : size - batch.handed_over);
}

}  // namespace maglb
