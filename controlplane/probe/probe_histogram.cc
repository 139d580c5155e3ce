#include "controlplane/probe/probe_histogram.h"

#include <algorithm>
#include <numeric>

namespace maglb {

void ProbeHistogram::record(Duration latency) {
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), latency);
  ++buckets[static_cast<size_t>(bound - kBounds.begin())];
  sum += latency;
}

uint64_t ProbeHistogram::count() const {
  return std::accumulate(buckets.begin(), buckets.end(), uint64_t{0});
}

}  // namespace maglb
