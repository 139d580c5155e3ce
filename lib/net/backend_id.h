// A backend as flows and packets name it: the number of its pool and its place in the pool. The
// dataplane hands both out and reuses neither while a flow can still name it (see Registry).
#pragma once

#include <cstdint>

namespace maglb {

// A flow's entry has 15 bits for each. Twice as many places as a pool may have backends, so that all of
// them can be replaced at once.
inline constexpr uint32_t kMaxPoolNumbers = 1u << 15;
inline constexpr uint32_t kMaxPlaces = 1u << 15;

struct BackendId {
  uint16_t pool = 0;
  uint16_t place = 0;
  friend constexpr bool operator==(const BackendId&, const BackendId&) = default;
};

}  // namespace maglb
