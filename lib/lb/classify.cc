#include "lib/lb/classify.h"

namespace maglb {

void classify_fragment(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker) {
  if (snapshot.services().has_address(batch.notes[i].parsed.key.destination)) {
    return drop(batch, i, worker, DropReason::kFragment);
  }
  batch.verdicts[i] = Verdict::kKernel;
}

}  // namespace maglb
