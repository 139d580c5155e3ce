#include "lib/lb/pipeline.h"

#include "lib/lb/instructions.h"

namespace maglb {
namespace {

[[gnu::flatten]] void process_baseline(Batch& batch, const Snapshot& snapshot, WorkerContext& worker,
                                       Time now) {
  process_with<BaselineInstructions>(batch, snapshot, worker, now);
}

[[MAGLB_TARGET_AVX2, gnu::flatten]] void process_avx2(Batch& batch, const Snapshot& snapshot,
                                                      WorkerContext& worker, Time now) {
  process_with<Avx2Instructions>(batch, snapshot, worker, now);
}

[[MAGLB_TARGET_AVX512, gnu::flatten]] void process_avx512(Batch& batch, const Snapshot& snapshot,
                                                          WorkerContext& worker, Time now) {
  process_with<Avx512Instructions>(batch, snapshot, worker, now);
}

}  // namespace

PathFunction path_of(Isa isa) {
  switch (isa) {
    case Isa::kAvx2:
      return process_avx2;
    case Isa::kAvx512:
      return process_avx512;
    case Isa::kBaseline:
      return process_baseline;
  }
  return process_baseline;
}

}  // namespace maglb
