// The backends of a pool that a new flow may be given, with what its scheduler needs to choose one.
//
// Layout, by scheduler; a pool that goes by its table and bounds nothing has none of it:
//   members   place and weight of each backend that the table names
//   cycle     round-robin: indexes of members in the order of their turns (interleave.h)
//   alias     random, least-connections: one row a member, by Walker and Vose, in whole numbers: with n
//             members of W weight in all, each row stands for W of n W, `cut` of them for the member itself
//             and the rest for `other`. So a draw has exactly the chances of the weights, for two numbers
//             that are exactly uniform; 32 bits each make a chance off by less than 2^-31.
//
// Threads: immutable once made; any number of readers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "lib/net/scheduler.h"

namespace maglb {

struct Candidate {
  uint16_t place = 0;
  uint32_t weight = 0;  // 1..kMaxBackendWeight
};

class Candidates {
 public:
  explicit Candidates(std::pmr::memory_resource* memory) : members_(memory), cycle_(memory), alias_(memory) {}
  // REQUIRES: no more than kMaxBackendsPerPool members.
  Candidates(Scheduler scheduler, std::span<const Candidate> members, std::pmr::memory_resource* memory);

  size_t size() const { return members_.size(); }
  const Candidate& operator[](size_t i) const { return members_[i]; }

  // REQUIRES: of round-robin; not empty.
  uint32_t cycle_length() const { return static_cast<uint32_t>(cycle_.size()); }
  const Candidate& in_turn(uint32_t position) const { return members_[cycle_[position]]; }

  // By 64 random bits. REQUIRES: of random or least-connections; not empty.
  const Candidate& drawn(uint64_t random) const {
    const Row& row = alias_[(random >> 32) * alias_.size() >> 32];
    const uint64_t share = (random & 0xffffffff) * total_ >> 32;
    return share < row.cut ? members_[static_cast<size_t>(&row - alias_.data())] : members_[row.other];
  }

 private:
  struct Row {
    uint32_t cut = 0;
    uint16_t other = 0;
  };
  void make_alias();

  std::pmr::vector<Candidate> members_;
  std::pmr::vector<uint16_t> cycle_;
  std::pmr::vector<Row> alias_;
  uint64_t total_ = 0;
};

}  // namespace maglb
