#include "lib/flow/backend_flows.h"

#include <array>

namespace maglb {

void share_flows(std::span<BackendFlows* const> workers, std::span<const uint32_t> indexes) {
  constexpr size_t kMostWorkers = 256;
  std::array<uint32_t, kMostWorkers> seen;
  for (const uint32_t index : indexes) {
    uint32_t sum = 0;
    for (size_t i = 0; i < workers.size() && i < kMostWorkers; ++i) {
      seen[i] = workers[i]->own(index);
      sum += seen[i];
    }
    for (size_t i = 0; i < workers.size() && i < kMostWorkers; ++i) {
      workers[i]->set_others(index, sum - seen[i]);
    }
  }
}

void forget_flows(std::span<BackendFlows* const> workers, std::span<const uint32_t> indexes) {
  for (const uint32_t index : indexes) {
    for (BackendFlows* worker : workers) {
      worker->set_others(index, 0);
    }
  }
}

}  // namespace maglb
