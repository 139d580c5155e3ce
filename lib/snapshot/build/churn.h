// What share of a pool's slots a change moves: before and after, who would get the new flows. For dry runs.
//
// A slot has moved when it has a backend of another name, or none where it had one, or the other way round.
// Tables of different sizes or seeds have no slot in common: there the number is what is expected of two
// choices that know nothing of each other.
//
// Threads: none; a function of its arguments.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/snapshot/build/compile.h"

namespace maglb {

struct PoolChurn {
  std::string pool;
  uint64_t moved = 0;
  uint64_t total = 0;  // slots of the table: after the change, of a removed pool before it
  friend bool operator==(const PoolChurn&, const PoolChurn&) = default;
};

// Of every pool that is in one of both, sorted by name. A new pool has no slot that moved, of a removed one
// all that had a backend have.
std::vector<PoolChurn> churn(const Compiled& before, const Compiled& after);

}  // namespace maglb
