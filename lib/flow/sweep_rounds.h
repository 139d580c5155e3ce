// Rounds of the workers' sweeps, from how many passes each has ended. A round ends when every worker has
// ended a whole pass that began in it. The smallest number of passes would not do: a worker that is
// ahead of the others need not have swept at all for it to rise.
//
// Thread: the one that reads the workers' pass counts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace maglb {

class SweepRounds {
 public:
  // How many rounds have ended. `passes`: the whole passes each worker has ended, the same workers in
  // every call. May be called as seldom as one likes.
  uint64_t update(std::span<const uint64_t> passes) {
    begin_.resize(passes.size());
    for (size_t i = 0; i < passes.size(); ++i) {
      // The pass under way when the round began ends first, the next one began in it.
      if (passes[i] < begin_[i] + 2) {
        return rounds_;
      }
    }
    begin_.assign(passes.begin(), passes.end());
    return ++rounds_;
  }

 private:
  std::vector<uint64_t> begin_;
  uint64_t rounds_ = 0;
};

}  // namespace maglb
