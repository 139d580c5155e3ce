// The table against a plain one, over random words, with bounds so small that all are reached.
#include <gtest/gtest.h>

#include <cstdio>
#include <random>

#include "tests/support/fragment_duel.h"

namespace maglb {
namespace {

TEST(FragmentTableModel, DoesWhatThePlainOneDoes) {
  const auto given = ::testing::UnitTest::GetInstance()->random_seed();
  const uint64_t seed = given != 0 ? static_cast<uint64_t>(given) : std::random_device{}();
  std::printf("seed %llu (--gtest_random_seed repeats it)\n", static_cast<unsigned long long>(seed));
  std::map<FragmentVerdict, size_t> verdicts;
  std::map<FragmentLoss, size_t> losses;
  for (uint64_t round = 0; round < 60; ++round) {
    std::mt19937_64 random(seed + round);
    const auto up = [&](uint32_t least, uint32_t range) {
      return least + static_cast<uint32_t>(random() % range);
    };
    testing::FragmentDuel duel({up(4, 8), up(4, 12), up(1, 4), up(2, 7), up(1, 4)});
    for (int i = 0; i < 4000; ++i) {
      const char* difference = duel.step(static_cast<uint32_t>(random()));
      ASSERT_EQ(difference, nullptr) << difference << ": seed " << seed << ", round " << round << ", step "
                                     << i;
    }
    const char* difference = duel.finish();
    ASSERT_EQ(difference, nullptr) << difference << ": seed " << seed << ", round " << round;
    for (const auto& [verdict, count] : duel.verdicts()) {
      verdicts[verdict] += count;
    }
    for (const auto& [loss, count] : duel.losses()) {
      losses[loss] += count;
    }
  }
  EXPECT_EQ(verdicts.size(), 6u) << "a verdict that no input reached";
  EXPECT_EQ(losses.size(), 3u) << "a loss that no input reached";
  for (const auto& [verdict, count] : verdicts) {
    EXPECT_GT(count, 100u) << static_cast<int>(verdict);
  }
}

}  // namespace
}  // namespace maglb
