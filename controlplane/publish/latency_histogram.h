// How long something took, as the counts of a Prometheus histogram.
//
// Threads: one.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

namespace maglb {

class LatencyHistogram {
 public:
  // Upper bounds in seconds, inclusive; what is above the last has a count of its own.
  static constexpr std::array<double, 14> kBounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                     0.1,    0.25,  0.5,    1,     2.5,  5,     10};

  void add(std::chrono::duration<double> taken) {
    const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), taken.count());
    ++counts_[static_cast<size_t>(bound - kBounds.begin())];
    sum_seconds_ += taken.count();
  }

  // Of each bound, not summed up.
  const std::array<uint64_t, kBounds.size() + 1>& counts() const { return counts_; }
  double sum_seconds() const { return sum_seconds_; }

 private:
  std::array<uint64_t, kBounds.size() + 1> counts_{};
  double sum_seconds_ = 0;
};

}  // namespace maglb
