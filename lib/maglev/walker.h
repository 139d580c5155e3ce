// One member's way through its permutation.
#pragma once

#include <cstdint>

namespace maglb::maglev {

struct Walker {
  uint32_t slot;  // it would take this one next
  uint32_t skip;  // or, if it is taken, the one so many further on
};

}  // namespace maglb::maglev
