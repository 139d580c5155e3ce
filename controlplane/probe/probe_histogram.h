// How long probes take: counts in fixed buckets from 0.5 ms to 10 s, as Prometheus has them, but each
// bucket for itself and not added up.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "lib/base/clock.h"

namespace maglb {

struct ProbeHistogram {
  // The upper ends of the buckets, in them; the last bucket has no end.
  static constexpr std::array<std::chrono::microseconds, 14> kBounds = {std::chrono::microseconds(500),
                                                                        std::chrono::microseconds(1'000),
                                                                        std::chrono::microseconds(2'500),
                                                                        std::chrono::microseconds(5'000),
                                                                        std::chrono::microseconds(10'000),
                                                                        std::chrono::microseconds(25'000),
                                                                        std::chrono::microseconds(50'000),
                                                                        std::chrono::microseconds(100'000),
                                                                        std::chrono::microseconds(250'000),
                                                                        std::chrono::microseconds(500'000),
                                                                        std::chrono::seconds(1),
                                                                        std::chrono::microseconds(2'500'000),
                                                                        std::chrono::seconds(5),
                                                                        std::chrono::seconds(10)};

  std::array<uint64_t, kBounds.size() + 1> buckets = {};
  Duration sum{};

  void record(Duration latency);
  uint64_t count() const;
};

// Of the probes of a pool. Probes that timed out are among the failures, at their timeout.
struct ProbeLatency {
  ProbeHistogram success;
  ProbeHistogram failure;
};

}  // namespace maglb
