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

// What a walk needs to know, by value: stores to walkers could change members of Filling for all that
// the compiler knows, and it would load them again for every probe.
struct Slots {
  const uint64_t* bits;
  uint32_t count;

  // 1 or 0.
  uint64_t taken(uint32_t slot) const { return bits[slot / 64] >> slot % 64 & 1; }

  uint32_t after(uint32_t slot, uint32_t skip) const {
    const uint32_t next = slot + skip;
    return next < count ? next : next - count;
  }
};

// Moves each walker of [turn, end) past at most one taken slot. Writes those that moved to `rest`, which
// may be `turn`, and returns their end.
uint32_t* pass_one(Slots slots, Walker* walkers, const uint32_t* turn, const uint32_t* end, uint32_t* rest) {
  for (; turn != end; ++turn) {
    const uint32_t index = *turn;
    const auto [slot, skip] = walkers[index];
    const uint64_t taken = slots.taken(slot);
    const uint32_t next = slots.after(slot, skip);
    walkers[index].slot = taken != 0 ? next : slot;
    *rest = index;
    rest += taken;
  }
  return rest;
}

// The same past at most two. The second is looked at whatever the first is: waiting costs more.
uint32_t* pass_two(Slots slots, Walker* walkers, const uint32_t* turn, const uint32_t* end, uint32_t* rest) {
  for (; turn != end; ++turn) {
    const uint32_t index = *turn;
    const auto [slot, skip] = walkers[index];
    const uint32_t second = slots.after(slot, skip);
    const uint32_t third = slots.after(second, skip);
    const uint64_t taken = slots.taken(slot);
    const uint64_t second_taken = slots.taken(second);
    const uint32_t next = second_taken != 0 ? third : second;
    walkers[index].slot = taken != 0 ? next : slot;
    *rest = index;
    rest += taken & second_taken;
  }
  return rest;
}

}  // namespace

Filling::Filling(uint32_t table_size)
    : table_size_(table_size), free_(table_size), taken_(table_size / 64 + 1), table_(table_size, kEmpty) {
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
  const auto pass = free_ > table_size_ / 2 ? pass_one : pass_two;
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
