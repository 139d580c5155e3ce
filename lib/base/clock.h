// Time is passed in, never read by the parts that use it: a worker reads its clock once a burst,
// replay takes the capture's, a test counts by itself.
#pragma once

#include <chrono>

namespace maglb {

// Time since an arbitrary fixed start. Never goes back.
using Time = std::chrono::nanoseconds;
using Duration = std::chrono::nanoseconds;

// CLOCK_MONOTONIC, the same for every process of one machine since its boot.
inline Time monotonic_now() {
  return std::chrono::duration_cast<Time>(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace maglb
