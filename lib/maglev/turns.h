// Whose turn it is to take a slot. In each round every member gains its weight in credit, and one that
// has as much as the largest weight pays that and has a turn. A round's turns are listed before they
// are taken: credit depends on no slot, and a loop that only lists needs no branch to be mispredicted.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace maglb::maglev {

class Turns {
 public:
  // REQUIRES: one weight at least, and all of them in 1..2^31.
  explicit Turns(std::vector<uint32_t> weights);

  // The members (indexes into the weights) with the next turns, in order: at least one, at most `most`
  // (> 0), all of one round. Valid until the next call.
  std::span<const uint32_t> next(size_t most);

 private:
  void begin_round();

  // Both give every member its credit, write those that have a turn to `end` and return the new end.
  uint32_t* list_turns(uint32_t* end);
  uint32_t* list_rare_turns(uint32_t* end);

  std::vector<uint32_t> weights_;
  std::vector<uint32_t> credits_;
  std::vector<uint32_t> round_;  // the first round_size_ have a turn in this round, the first used_ had it
  size_t round_size_;
  size_t used_;
  uint32_t price_;
  bool equal_;
  bool rare_ = false;  // a round has few turns
};

}  // namespace maglb::maglev
