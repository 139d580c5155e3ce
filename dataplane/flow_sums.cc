#include "dataplane/flow_sums.h"

#include <algorithm>
#include <iterator>

namespace maglb {

// What is watched changes with the generation only.
void FlowSums::update(const Registry& registry) {
  if (const uint64_t generation = registry.generation(); generation != watched_of_) {
    std::vector<uint32_t> watched = registry.watched_counters();
    std::sort(watched.begin(), watched.end());
    std::vector<uint32_t> gone;
    std::set_difference(watched_.begin(), watched_.end(), watched.begin(), watched.end(),
                        std::back_inserter(gone));
    forget_flows(workers_, gone);
    watched_ = std::move(watched);
    watched_of_ = generation;
  }
  share_flows(workers_, watched_);
}

}  // namespace maglb
