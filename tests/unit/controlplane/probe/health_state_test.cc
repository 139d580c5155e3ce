#include "controlplane/probe/health_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace maglb {
namespace {

// Reads the whole history each time, by the words of the rule.
struct NaiveModel {
  uint32_t rise;
  uint32_t fall;
  Health health = Health::kUnknown;
  std::vector<bool> history = {};

  bool last_are(bool success, uint32_t count) const {
    return history.size() >= count &&
           std::all_of(history.end() - count, history.end(), [&](bool each) { return each == success; });
  }

  void record(bool success) {
    history.push_back(success);
    if (health == Health::kUnknown) {
      health = success ? Health::kHealthy : Health::kUnhealthy;
    } else if (health == Health::kHealthy && last_are(false, fall)) {
      health = Health::kUnhealthy;
    } else if (health == Health::kUnhealthy && last_are(true, rise)) {
      health = Health::kHealthy;
    }
  }
};

WallTime at(int64_t n) {
  return WallTime(std::chrono::seconds(n));
}

TEST(HealthState, AgreesWithANaiveModelOnRandomOutcomes) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    NaiveModel model{1 + static_cast<uint32_t>(random() % 5), 1 + static_cast<uint32_t>(random() % 5)};
    HealthState state(model.rise, model.fall);
    const uint64_t success_percent = random() % 101;
    int64_t changed_at = 0;
    for (int64_t n = 1; n <= 300; ++n) {
      const bool success = random() % 100 < success_percent;
      const Health before = model.health;
      model.record(success);
      ASSERT_EQ(state.record(success, at(n)), model.health != before);
      ASSERT_EQ(state.health(), model.health);
      changed_at = model.health != before ? n : changed_at;
      ASSERT_EQ(state.since(), at(changed_at));
      ASSERT_TRUE(model.last_are(success, static_cast<uint32_t>(state.consecutive())));
    }
  }
}

TEST(HealthState, TheFirstOutcomeDecidesWhatIsUnknown) {
  HealthState up(5, 5);
  EXPECT_TRUE(up.record(true, at(1)));
  EXPECT_EQ(up.health(), Health::kHealthy);
  HealthState down(5, 5);
  EXPECT_TRUE(down.record(false, at(1)));
  EXPECT_EQ(down.health(), Health::kUnhealthy);
}

TEST(HealthState, AKnownHealthNeedsItsFullCountToChange) {
  HealthState state(2, 3, Health::kHealthy, at(7));
  EXPECT_EQ(state.since(), at(7));
  EXPECT_FALSE(state.record(false, at(8)));
  EXPECT_FALSE(state.record(false, at(9)));
  EXPECT_TRUE(state.record(false, at(10)));
  EXPECT_EQ(state.health(), Health::kUnhealthy);
  EXPECT_EQ(state.since(), at(10));
}

TEST(HealthState, OneOutcomeOfTheOtherKindStartsTheCountAgain) {
  HealthState state(2, 3, Health::kHealthy, at(0));
  for (int64_t n = 1; n < 100; ++n) {
    EXPECT_FALSE(state.record(n % 3 == 0, at(n)));
  }
  EXPECT_EQ(state.health(), Health::kHealthy);
}

}  // namespace
}  // namespace maglb
