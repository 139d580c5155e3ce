#include "lib/flow/sweep_rounds.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

TEST(SweepRounds, EndWhenEveryWorkerHasPassedItsTableWithinThem) {
  SweepRounds rounds;
  const auto update = [&](uint64_t a, uint64_t b) { return rounds.update(std::vector<uint64_t>{a, b}); };
  EXPECT_EQ(update(0, 9), 0u);
  EXPECT_EQ(update(1, 9), 0u);
  EXPECT_EQ(update(2, 9), 1u);
  EXPECT_EQ(update(8, 9), 1u) << "the worker that was ahead has not swept since";
  EXPECT_EQ(update(8, 10), 1u);
  EXPECT_EQ(update(8, 11), 2u);
}

}  // namespace
}  // namespace maglb
