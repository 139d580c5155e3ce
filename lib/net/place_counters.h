// Where the places of one pool are counted: for each place an index into the workers' counters, wherever it
// lies in memory. A place's index is the same as long as a flow can name the place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace maglb {

struct PlaceCounters {
  const void* first = nullptr;  // the uint32_t of place 0
  uint16_t stride = 0;          // bytes from one place's to the next one's
  bool is_passive = false;      // its pool wants signals (lib/flow/backend_signals.h)
  uint32_t places = 0;

  // REQUIRES: place < places.
  uint32_t of(uint16_t place) const {
    uint32_t index;
    std::memcpy(&index, static_cast<const std::byte*>(first) + size_t{place} * stride, sizeof index);
    return index;
  }
};
static_assert(sizeof(PlaceCounters) == 16);

}  // namespace maglb
