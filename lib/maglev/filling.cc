#include "lib/maglev/filling.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

#include "lib/maglev/last_slots.h"

namespace maglb::maglev {
namespace {

// Turns that walk ahead together. Too many of them, and they meet at the last free slots: a quarter of
// the free slots makes such a meeting rare enough. Too few, and the passes are short.
constexpr uint32_t kFreePerTurn = 4;
constexpr uint32_t kFewestTurns = 32;

// So few go the rest of their way alone: the end of a short pass is mispredicted.
constexpr ptrdiff_t kLeftAlone = 4;

}  // namespace

Filling::Filling(uint32_t table_size)
    : passes_(best_passes()),
      table_size_(table_size),
      free_(table_size),
      taken_(table_size / 64 + 1),
      table_(table_size, kEmpty) {
  taken_.back() = ~uint64_t{0} << table_size % 64;
}

void Filling::add(const Permutation& permutation, uint16_t member) {
  walkers_.push_back({permutation.offset, permutation.skip});
  members_.push_back(member);
}

void Filling::fill(Turns turns) {
  const auto last = static_cast<uint32_t>(std::sqrt(table_size_));
  while (free_ > last) {
    take(turns.next(free_ - last));
  }
  take_last(turns);
}

void Filling::take(std::span<const uint32_t> turns) {
  while (!turns.empty()) {
    const size_t group = std::min<size_t>(turns.size(), std::max(kFewestTurns, free_ / kFreePerTurn));
    walk_ahead(turns.first(group));
    take_in_order(turns.first(group));
    turns = turns.subspan(group);
  }
}

void Filling::walk_ahead(std::span<const uint32_t> turns) {
  // While most slots are free the second probe is mostly in vain.
  const Pass pass = free_ > table_size_ / 2 ? passes_.one : passes_.two;
  walking_.resize(std::max(walking_.size(), turns.size()));
  const Slots slots{taken_.data(), table_size_};
  uint32_t* const begin = walking_.data();
  uint32_t* end = pass(slots, walkers_.data(), turns.data(), turns.data() + turns.size(), begin);
  while (end - begin > kLeftAlone) {
    end = pass(slots, walkers_.data(), begin, end, begin);
  }
}

void Filling::take_in_order(std::span<const uint32_t> turns) {
  const Slots slots{taken_.data(), table_size_};
  for (const uint32_t turn : turns) {
    const auto [first, skip] = walkers_[turn];
    uint32_t slot = first;
    while (slots.taken(slot) != 0) {
      slot = slots.after(slot, skip);
    }
    taken_[slot / 64] |= uint64_t{1} << slot % 64;
    table_[slot] = members_[turn];
    walkers_[turn].slot = slots.after(slot, skip);
  }
  free_ -= static_cast<uint32_t>(turns.size());
}

void Filling::take_last(Turns& turns) {
  LastSlots slots(free_slots(), table_size_);
  for (; free_ > 0; --free_) {
    const uint32_t turn = turns.next(1).front();
    const uint32_t slot = slots.take(walkers_[turn]);
    table_[slot] = members_[turn];
    walkers_[turn].slot = slot;
  }
}

std::vector<uint32_t> Filling::free_slots() const {
  std::vector<uint32_t> free;
  for (uint32_t word = 0; word < taken_.size(); ++word) {
    for (uint64_t bits = ~taken_[word]; bits != 0; bits &= bits - 1) {
      free.push_back(word * 64 + static_cast<uint32_t>(std::countr_zero(bits)));
    }
  }
  return free;
}

}  // namespace maglb::maglev
