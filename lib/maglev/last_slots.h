// The last free slots of a table. With F of M slots free a walk takes M/F steps, and half of all steps of
// a table are for its last sqrt(M) slots. There it is cheaper to ask every free slot how many steps away
// it is: slot f is reached from slot s by
//   i = (f - s) * inverse(skip) mod M
// steps of `skip`, and the walk ends at the f with the least i.
//
// To compare, i / M is enough, as a 64-bit fraction that wraps where the modulus would:
//   stride = floor(2^64 * inverse(skip) / M) + 1
//   (f - s) * stride mod 2^64 = 2^64 * i / M + e,  |e| < M
// Fractions of different i lie at least 2^64 / M apart, more than twice the error when M is below 2^31,
// so the least fraction is the least i. That is one multiplication a slot and no division.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "lib/maglev/walker.h"

namespace maglb::maglev {

class LastSlots {
 public:
  // REQUIRES: table_size prime and below 2^31, the slots free.
  LastSlots(std::vector<uint32_t> free, uint32_t table_size)
      : table_size_(table_size), free_(std::move(free)) {}

  bool empty() const { return free_.empty(); }

  // Takes the first free slot of the walk from `walker.slot`, that one included. REQUIRES: !empty().
  uint32_t take(const Walker& walker);

 private:
  uint32_t table_size_;
  std::vector<uint32_t> free_;  // in no order
};

}  // namespace maglb::maglev
