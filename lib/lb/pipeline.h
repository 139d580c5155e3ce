// The packet path, in the order the packet travels. Each stage is a function over the burst in a file
// of its own; nothing here allocates, locks, logs or calls the system.
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
// is the caller's to count, as is `sent`), kKernel (the caller hands it over and counts), or kDrop
// (counted). `received` and `originated` are counted here.
// REQUIRES: `now` does not go back from call to call of one worker.
inline void process(Batch& batch, const Snapshot& snapshot, WorkerContext& worker, Time now) {
  worker.counters.received.add(batch.size);
  parse(batch, worker);               // bytes -> 5-tuple, or why not
  classify(batch, snapshot, worker);  // 5-tuple -> service and pool, else the kernel's
  track(batch, worker, now);          // flow table, else the pool's table -> backend
  rewrite(batch, worker, now);        // encapsulate or readdress; too big is answered
}

}  // namespace maglb
