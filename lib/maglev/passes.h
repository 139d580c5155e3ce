// The loops that move walkers past taken slots, once in plain C++ and once for processors with BMI2:
// a bit is tested by a shift of variable length, which takes three operations without and one with it.
#pragma once

#include <cstdint>

#include "lib/maglev/walker.h"

namespace maglb::maglev {

// The table's slots as a walk sees them. By value: stores to walkers could change what a reference
// leads to, for all the compiler knows, and it would be loaded again for every probe.
struct Slots {
  const uint64_t* bits;  // set where a slot is taken
  uint32_t count;

  // 1 or 0.
  uint64_t taken(uint32_t slot) const { return bits[slot / 64] >> slot % 64 & 1; }

  uint32_t after(uint32_t slot, uint32_t skip) const {
    const uint32_t next = slot + skip;
    return next < count ? next : next - count;
  }
};

// Moves each of walkers[*turn] .. walkers[*(end - 1)] past some taken slots if it stands at one. Writes
// those that may stand at a taken slot still to `rest`, which may be `turn`, and returns their end.
using Pass = uint32_t* (*)(Slots slots, Walker* walkers, const uint32_t* turn, const uint32_t* end,
                           uint32_t* rest);

struct Passes {
  Pass one;  // past at most one
  Pass two;  // past at most two
};

Passes portable_passes();

// The fastest that this processor runs; they do the same.
Passes best_passes();

}  // namespace maglb::maglev
