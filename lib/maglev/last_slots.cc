#include "lib/maglev/last_slots.h"

#include <algorithm>
#include <utility>

namespace maglb::maglev {
namespace {

// The extended Euclidean algorithm. REQUIRES: 0 < a < prime.
uint32_t inverse(uint32_t a, uint32_t prime) {
  int64_t before = 0;
  int64_t now = 1;
  for (uint32_t high = prime, low = a; low > 1;) {
    const uint32_t quotient = high / low;
    before = std::exchange(now, before - int64_t{quotient} * now);
    high = std::exchange(low, high - quotient * low);
  }
  return static_cast<uint32_t>(now < 0 ? now + prime : now);
}

// floor(2^64 * numerator / denominator) + 1, by halves. REQUIRES: numerator < denominator.
uint64_t fraction_above(uint32_t numerator, uint32_t denominator) {
  const uint64_t high = (uint64_t{numerator} << 32) / denominator;
  const uint64_t rest = (uint64_t{numerator} << 32) % denominator;
  return (high << 32) + (rest << 32) / denominator + 1;
}

}  // namespace

uint32_t LastSlots::take(const Walker& walker) {
  const uint64_t stride = fraction_above(inverse(walker.skip, table_size_), table_size_);
  const uint64_t here = walker.slot * stride;
  size_t nearest = 0;
  uint64_t least = free_[0] * stride - here;
  for (size_t i = 1; i < free_.size(); ++i) {
    const uint64_t distance = free_[i] * stride - here;
    nearest = distance < least ? i : nearest;
    least = std::min(least, distance);
  }
  const uint32_t slot = free_[nearest];
  free_[nearest] = free_.back();
  free_.pop_back();
  return slot;
}

}  // namespace maglb::maglev
