#include "controlplane/desired/slow_start.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

using std::chrono::seconds;

const BackendKey kKey{"web", "a"};

TEST(SlowStart, RampsInTenthsToTheWhole) {
  SlowStart ramps;
  ramps.begin(kKey, seconds(90), seconds(1000));
  EXPECT_EQ(ramps.weight_of(kKey, 200), 20u);
  for (uint32_t step = 2; step <= SlowStart::kSteps; ++step) {
    const Time due = seconds(1000 + 10 * (step - 1));
    EXPECT_EQ(ramps.next_step(), due);
    EXPECT_TRUE(ramps.advance(due - Duration(1)).empty());
    const auto steps = ramps.advance(due);
    ASSERT_EQ(steps.size(), 1u);
    EXPECT_EQ(steps[0].is_last, step == SlowStart::kSteps);
    EXPECT_EQ(ramps.weight_of(kKey, 200), 20 * step);
  }
  EXPECT_TRUE(ramps.empty());
  EXPECT_FALSE(ramps.next_step());
}

TEST(SlowStart, NeverWeighsNothing) {
  for (uint32_t step = 1; step <= SlowStart::kSteps; ++step) {
    EXPECT_GE(SlowStart::weight_at(1, step), 1u);
    EXPECT_EQ(SlowStart::weight_at(0, step), 0u);
    EXPECT_GE(SlowStart::weight_at(7, step), SlowStart::weight_at(7, step - 1));
  }
}

TEST(SlowStart, ALateClockTakesSeveralStepsAtOnce) {
  SlowStart ramps;
  ramps.begin(kKey, seconds(90), seconds(0));
  EXPECT_EQ(ramps.advance(seconds(55)).size(), 1u);
  EXPECT_EQ(ramps.weight_of(kKey, 100), 60u);
  const auto steps = ramps.advance(seconds(500));
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_TRUE(steps[0].is_last);
}

TEST(SlowStart, KnowsBackendsApart) {
  SlowStart ramps;
  ramps.begin(kKey, seconds(90), seconds(0));
  EXPECT_EQ(ramps.weight_of({"web", "b"}, 100), 100u);
  EXPECT_FALSE(ramps.cancel({"web", "b"}));
  ramps.keep_only([](const BackendKey&) { return false; });
  EXPECT_TRUE(ramps.empty());
}

}  // namespace
}  // namespace maglb
