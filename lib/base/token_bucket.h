// A rate bound: `rate` tokens a second, at most `burst` kept. One thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "lib/base/clock.h"

namespace maglb {

class TokenBucket {
 public:
  // REQUIRES: rate_per_second > 0, burst > 0.
  TokenBucket(uint64_t rate_per_second, uint64_t burst)
      : cost_(Time(std::chrono::seconds(1)).count() / static_cast<int64_t>(rate_per_second)),
        depth_(cost_ * static_cast<int64_t>(burst)),
        credit_(depth_) {}

  // Takes one token if there is one. REQUIRES: now never goes back.
  bool take(Time now) {
    credit_ = std::min(depth_, credit_ + (now - last_).count());
    last_ = now;
    if (credit_ < cost_) {
      return false;
    }
    credit_ -= cost_;
    return true;
  }

 private:
  int64_t cost_;   // of one token, in nanoseconds of waiting
  int64_t depth_;  // of a full bucket
  int64_t credit_;
  Time last_{0};
};

}  // namespace maglb
