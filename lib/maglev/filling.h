// A Maglev table while its members take slots. Beside the table lies one bit a slot, set when the slot is
// taken: looking for a free one goes through 8 KiB rather than 128 at the usual 65537 slots.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "lib/maglev/table.h"

namespace maglb::maglev {

class Filling {
 public:
  explicit Filling(uint32_t table_size);

  // The next walker: it takes slots for `member`. All are added before any has a turn.
  void add(const Permutation& permutation, uint16_t member);

  // Each of these walkers, in this order, takes the first free slot of its permutation.
  // REQUIRES: no more turns than free slots.
  void take(std::span<const uint32_t> turns);

  uint32_t free() const { return free_; }
  std::vector<uint16_t> table() && { return std::move(table_); }

 private:
  // The slot a member would take next, and its step.
  struct Walker {
    uint32_t slot;
    uint32_t skip;
  };

  uint32_t after(uint32_t slot, uint32_t skip) const {
    const uint32_t next = slot + skip;
    return next < table_size_ ? next : next - table_size_;
  }

  // 1 or 0.
  uint64_t taken(uint32_t slot) const { return taken_[slot / 64] >> slot % 64 & 1; }

  uint32_t table_size_;
  uint32_t free_;
  std::vector<uint64_t> taken_;
  std::vector<uint16_t> table_;
  std::vector<Walker> walkers_;
  std::vector<uint16_t> members_;  // walkers_[i] takes slots for members_[i]
};

}  // namespace maglb::maglev
