#include "lib/maglev/last_slots.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace maglb::maglev {
namespace {

// Free slots at random numbers of steps from the walker; near ones, far ones and neighbours.
std::map<uint64_t, uint32_t> slots_by_steps(std::mt19937_64& random, const Walker& walker, uint32_t m) {
  std::map<uint64_t, uint32_t> by_steps;
  const uint64_t first = random() % m;
  for (size_t n = 1 + random() % 40; n > 0; --n) {
    const uint64_t steps = random() % 2 != 0 ? random() % m : (first + random() % 40) % m;
    by_steps[steps] = static_cast<uint32_t>((walker.slot + steps * walker.skip) % m);
  }
  return by_steps;
}

TEST(MaglevLastSlots, GivesTheFreeSlotThatTheWalkComesToFirst) {
  const auto seed = static_cast<uint64_t>(::testing::UnitTest::GetInstance()->random_seed());
  fmt::print("seed {} (--gtest_random_seed repeats it)\n", seed);
  std::mt19937_64 random(seed);
  for (const uint32_t m : {2u, 3u, 7u, 251u, 65537u, 655373u, 16777213u, 2147483647u}) {
    for (int round = 0; round < 500; ++round) {
      const Walker walker{static_cast<uint32_t>(random() % m), static_cast<uint32_t>(1 + random() % (m - 1))};
      const auto by_steps = slots_by_steps(random, walker, m);
      std::vector<uint32_t> free;
      for (const auto& [steps, slot] : by_steps) {
        free.push_back(slot);
      }
      std::shuffle(free.begin(), free.end(), random);
      LastSlots slots(std::move(free), m);
      for (const auto& [steps, slot] : by_steps) {
        ASSERT_EQ(slots.take(walker), slot) << "m " << m << " after " << steps << " steps";
      }
      ASSERT_TRUE(slots.empty());
    }
  }
}

TEST(MaglevLastSlots, FindsTheEndsOfTheLongestWalk) {
  const uint32_t m = 2147483647;
  for (const uint32_t skip : {1u, 2u, m / 2, m - 1}) {
    const Walker walker{12345, skip};
    const auto slot_after = [&](uint64_t steps) {
      return static_cast<uint32_t>((walker.slot + steps * skip) % m);
    };
    LastSlots slots({slot_after(m - 1), slot_after(m - 2), slot_after(1), slot_after(0)}, m);
    for (const uint64_t steps : {0u, 1u, m - 2, m - 1}) {
      EXPECT_EQ(slots.take(walker), slot_after(steps)) << "skip " << skip << " after " << steps << " steps";
    }
  }
}

}  // namespace
}  // namespace maglb::maglev
