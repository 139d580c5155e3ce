// A Maglev table while its members take slots. Beside the table lies one bit a slot, set when the slot is
// taken: looking for a free one goes through 8 KiB rather than 128 at the usual 65537 slots.
//
// A taken slot never becomes free, so a walker may pass taken slots before its turn. The walkers of
// many turns do that together, one probe or two each and then the next walker, without a branch on what
// a probe finds: probes of one walker end where no predictor knows, and that cost more than the probes.
// The turns are then taken one by one; only a slot that an earlier one of them took is walked past.
// The last few slots go to those who find them without walking (lib/maglev/last_slots.h).
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "lib/maglev/passes.h"
#include "lib/maglev/table.h"
#include "lib/maglev/turns.h"
#include "lib/maglev/walker.h"

namespace maglb::maglev {

class Filling {
 public:
  explicit Filling(uint32_t table_size);

  // The next walker: it takes slots for `member`. All are added before any has a turn.
  void add(const Permutation& permutation, uint16_t member);

  // In each turn its walker takes the first free slot of its permutation, until none is free.
  // REQUIRES: the turns are of the walkers that were added.
  void fill(Turns turns);

  std::vector<uint16_t> table() && { return std::move(table_); }

 private:
  // REQUIRES: no more turns than free slots.
  void take(std::span<const uint32_t> turns);

  // Lets the walkers of these turns pass taken slots; almost all of them then stand at a free one.
  void walk_ahead(std::span<const uint32_t> turns);

  void take_in_order(std::span<const uint32_t> turns);

  void take_last(Turns& turns);
  std::vector<uint32_t> free_slots() const;

  Passes passes_;
  uint32_t table_size_;
  uint32_t free_;
  std::vector<uint64_t> taken_;  // and set after the last slot
  std::vector<uint16_t> table_;
  std::vector<Walker> walkers_;
  std::vector<uint16_t> members_;  // walkers_[i] takes slots for members_[i]
  std::vector<uint32_t> walking_;  // those that walk_ahead() has not brought to a free slot
};

}  // namespace maglb::maglev
