// The bounds of a duration in maglb.yaml, which knows whole milliseconds only.
#pragma once

#include "lib/base/clock.h"

namespace maglb {

constexpr bool is_between(Duration low, Duration value, Duration high) {
  return low <= value && value <= high && value % std::chrono::milliseconds(1) == Duration{};
}

}  // namespace maglb
