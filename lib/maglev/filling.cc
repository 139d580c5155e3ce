#include "lib/maglev/filling.h"

namespace maglb::maglev {

Filling::Filling(uint32_t table_size)
    : table_size_(table_size), free_(table_size), taken_(table_size / 64 + 1), table_(table_size, kEmpty) {}

void Filling::add(const Permutation& permutation, uint16_t member) {
  walkers_.push_back({permutation.offset, permutation.skip});
  members_.push_back(member);
}

void Filling::take(std::span<const uint32_t> turns) {
  for (const uint32_t turn : turns) {
    Walker& walker = walkers_[turn];
    uint32_t slot = walker.slot;
    while (taken(slot)) {
      slot = after(slot, walker.skip);
    }
    taken_[slot / 64] |= uint64_t{1} << slot % 64;
    table_[slot] = members_[turn];
    walker.slot = after(slot, walker.skip);
  }
  free_ -= static_cast<uint32_t>(turns.size());
}

}  // namespace maglb::maglev
