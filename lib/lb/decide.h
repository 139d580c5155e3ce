// The one way a stage drops a packet, or leaves it to another worker: decided and counted together.
#pragma once

#include "lib/lb/batch.h"
#include "lib/lb/worker_context.h"

namespace maglb {

inline void drop(Batch& batch, size_t i, WorkerContext& worker, DropReason reason) {
  batch.verdicts[i] = Verdict::kDrop;
  worker.counters.drop(reason);
}

// Leaves the packet to the worker that keeps what is known about it. False: that is this one, or the packet
// was handed over or held before, and this one decides what becomes of it. REQUIRES: target < worker.workers.
inline bool hand_over(Batch& batch, size_t i, const WorkerContext& worker, uint32_t target) {
  if (target == worker.number || batch.is_handed || batch.is_released) {
    return false;
  }
  batch.verdicts[i] = Verdict::kHandOver;
  batch.targets[i] = static_cast<uint8_t>(target);
  ++batch.handed_over;
  return true;
}

}  // namespace maglb
