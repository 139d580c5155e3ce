// How many flows each backend has over all workers, told to every worker while some pool looks at it.
//
// Threads: the main core.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/flow/backend_flows.h"
#include "lib/snapshot/view/registry.h"

namespace maglb {

class FlowSums {
 public:
  // REQUIRES: before update(); what is added outlives this.
  void add_worker(BackendFlows* flows) { workers_.push_back(flows); }
  const std::vector<BackendFlows*>& workers() const { return workers_; }

  // Sums what is looked at in the registry's generation, for all workers.
  void update(const Registry& registry);
  // Somebody looks, and what the others have matters.
  bool are_wanted() const { return !watched_.empty() && workers_.size() > 1; }

 private:
  std::vector<BackendFlows*> workers_;
  std::vector<uint32_t> watched_;  // counters of the backends whose flows are shared
  uint64_t watched_of_ = 0;        // the generation that they are of
};

}  // namespace maglb
