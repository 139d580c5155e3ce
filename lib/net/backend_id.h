// A backend as flows and packets name it: the number of its pool and its place in the pool. The
// dataplane hands both out and reuses neither while a flow can still name it (see Registry).
#pragma once

#include <cstdint>

namespace maglb {

struct BackendId {
  uint16_t pool = 0;
  uint16_t place = 0;
  friend constexpr bool operator==(const BackendId&, const BackendId&) = default;
};

}  // namespace maglb
