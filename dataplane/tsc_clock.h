// The workers' clock: the time-stamp counter as nanoseconds, some 8 ns a reading where a call for
// CLOCK_MONOTONIC takes several times that. Every thread that has the same TscClock tells the same time.
//
// Threads: any; constant after it is made.
#pragma once

#include <x86intrin.h>

#include <cstdint>

#include "lib/base/clock.h"

namespace maglb {

inline uint64_t read_tsc() {
  return __rdtsc();
}

class TscClock {
 public:
  // `hz`: ticks of the counter in a second, > 0.
  explicit TscClock(uint64_t hz)
      : hz_(hz),
        start_tsc_(read_tsc()),
        start_time_(monotonic_now()),
        nanoseconds_per_tick_((Wide{1'000'000'000} << kShift) / hz) {}

  // REQUIRES: `tsc` was read after the clock was made; a little earlier on another core gives the start.
  Time at(uint64_t tsc) const {
    const uint64_t ticks = tsc > start_tsc_ ? tsc - start_tsc_ : 0;
    return start_time_ + Time(static_cast<int64_t>((ticks * nanoseconds_per_tick_) >> kShift));
  }
  Time now() const { return at(read_tsc()); }
  // Ticks in a second.
  uint64_t hz() const { return hz_; }

 private:
  __extension__ using Wide = unsigned __int128;
  static constexpr int kShift = 32;

  uint64_t hz_;
  uint64_t start_tsc_;
  Time start_time_;
  Wide nanoseconds_per_tick_;  // in units of 2^-32
};

}  // namespace maglb
