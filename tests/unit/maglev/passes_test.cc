#include "lib/maglev/passes.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace maglb::maglev {
namespace {

constexpr uint32_t kCount = 251;

struct Outcome {
  std::vector<uint32_t> slots;
  std::vector<uint32_t> rest;

  bool operator==(const Outcome&) const = default;
};

// As passes.h says it: one step at a time.
Outcome naive(Slots slots, std::vector<Walker> walkers, const std::vector<uint32_t>& turns, int most) {
  Outcome outcome;
  for (const uint32_t turn : turns) {
    Walker& walker = walkers[turn];
    int steps = 0;
    for (; steps < most && slots.taken(walker.slot) != 0; ++steps) {
      walker.slot = (walker.slot + walker.skip) % kCount;
    }
    if (steps == most) {
      outcome.rest.push_back(turn);
    }
  }
  for (const Walker& walker : walkers) {
    outcome.slots.push_back(walker.slot);
  }
  return outcome;
}

// In place, as filling.cc calls them again and again.
Outcome passed(Pass pass, Slots slots, std::vector<Walker> walkers, std::vector<uint32_t> turns) {
  Outcome outcome;
  turns.erase(
      turns.begin() + (pass(slots, walkers.data(), turns.data(), turns.data() + turns.size(), turns.data()) -
                       turns.data()),
      turns.end());
  outcome.rest = turns;
  for (const Walker& walker : walkers) {
    outcome.slots.push_back(walker.slot);
  }
  return outcome;
}

TEST(MaglevPasses, DoTheSameOnEveryProcessor) {
  std::mt19937 random(20161);
  for (int round = 0; round < 1000; ++round) {
    std::vector<uint64_t> bits(kCount / 64 + 1);
    const uint32_t taken = random() % 101;  // per cent
    std::vector<Walker> walkers;
    std::vector<uint32_t> turns;
    for (uint32_t slot = 0; slot < kCount; ++slot) {
      bits[slot / 64] |= uint64_t{random() % 100 < taken} << slot % 64;
    }
    for (uint32_t i = 0; i < 40; ++i) {
      walkers.push_back(
          {static_cast<uint32_t>(random() % kCount), 1 + static_cast<uint32_t>(random() % (kCount - 1))});
      if (random() % 2 != 0) {
        turns.push_back(i);
      }
    }
    const Slots slots{bits.data(), kCount};
    for (const Passes& passes : {portable_passes(), best_passes()}) {
      ASSERT_EQ(passed(passes.one, slots, walkers, turns), naive(slots, walkers, turns, 1));
      ASSERT_EQ(passed(passes.two, slots, walkers, turns), naive(slots, walkers, turns, 2));
    }
  }
}

}  // namespace
}  // namespace maglb::maglev
