// The one way a stage drops a packet: decided and counted together.
#pragma once

#include "lib/lb/batch.h"
#include "lib/lb/worker_context.h"

namespace maglb {

inline void drop(Batch& batch, size_t i, WorkerContext& worker, DropReason reason) {
  batch.verdicts[i] = Verdict::kDrop;
  worker.counters.drop(reason);
}

}  // namespace maglb
