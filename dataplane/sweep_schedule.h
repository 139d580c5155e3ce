// When a worker goes over the next slice of its flow table: a pass takes about a second up to 2^22
// buckets, and longer in proportion above, so that what it costs in a second, and in a round, is bounded.
//
// Everything is worked out when it is made: a round compares two time stamps.
//
// Thread: one, the worker that has it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace maglb {

class SweepSchedule {
 public:
  static constexpr uint64_t kBucketsPerSecond = uint64_t{1} << 22;
  // What one round does at most: 4 KiB of the table.
  static constexpr size_t kSlice = 64;

  // `hz`: ticks in a second. REQUIRES: buckets > 0.
  SweepSchedule(size_t buckets, uint64_t hz)
      : slice_(std::min(buckets, kSlice)),
        interval_(slice_ * hz / std::min<uint64_t>(buckets, kBucketsPerSecond)),
        most_late_(std::max(hz / 64, interval_)) {}

  size_t slice() const { return slice_; }
  bool due(uint64_t tsc) const { return tsc >= next_; }
  // After a slice. A worker that slept, or was busy, makes up for it in the next rounds, but not for more
  // than some milliseconds: one that has no time to spare sweeps more slowly.
  void done(uint64_t tsc) { next_ = std::max(next_ + interval_, tsc > most_late_ ? tsc - most_late_ : 0); }

 private:
  size_t slice_;
  uint64_t interval_;
  uint64_t most_late_;
  uint64_t next_ = 0;
};

}  // namespace maglb
