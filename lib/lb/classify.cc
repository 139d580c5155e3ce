#include "lib/lb/classify.h"

namespace maglb {

void classify_fragment(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker) {
  const FlowKey& key = batch.notes[i].parsed.key;
  const bool has_ports = key.protocol == Protocol::kTcp || key.protocol == Protocol::kUdp;
  if (has_ports && snapshot.services().has_address(key.destination)) {
    return drop(batch, i, worker, DropReason::kFragment);
  }
  batch.verdicts[i] = Verdict::kKernel;
}

}  // namespace maglb
