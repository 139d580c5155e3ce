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

Time ticks(int64_t n) {
  return std::chrono::seconds(n);
}

TEST(HealthState, AgreesWithANaiveModelOnRandomOutcomes) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    NaiveModel model{1 + static_cast<uint32_t>(random() % 5), 1 + static_cast<uint32_t>(random() % 5)};
    HealthState state({model.rise, model.fall, {}});
    const uint64_t success_percent = random() % 101;
    int64_t changed_at = 0;
    for (int64_t n = 1; n <= 300; ++n) {
      const bool success = random() % 100 < success_percent;
      const Health before = model.health;
      model.record(success);
      ASSERT_EQ(state.record(success, at(n), ticks(n)), model.health != before);
      ASSERT_EQ(state.health(), model.health);
      changed_at = model.health != before ? n : changed_at;
      ASSERT_EQ(state.since(), at(changed_at));
      ASSERT_TRUE(model.last_are(success, static_cast<uint32_t>(state.consecutive())));
    }
  }
}

TEST(HealthState, TheFirstOutcomeDecidesWhatIsUnknown) {
  HealthState up({5, 5, {}});
  EXPECT_TRUE(up.record(true, at(1), ticks(1)));
  EXPECT_EQ(up.health(), Health::kHealthy);
  HealthState down({5, 5, {}});
  EXPECT_TRUE(down.record(false, at(1), ticks(1)));
  EXPECT_EQ(down.health(), Health::kUnhealthy);
}

TEST(HealthState, AKnownHealthNeedsItsFullCountToChange) {
  HealthState state({2, 3, {}}, Health::kHealthy, at(7));
  EXPECT_EQ(state.since(), at(7));
  EXPECT_FALSE(state.record(false, at(8), ticks(8)));
  EXPECT_FALSE(state.record(false, at(9), ticks(9)));
  EXPECT_TRUE(state.record(false, at(10), ticks(10)));
  EXPECT_EQ(state.health(), Health::kUnhealthy);
  EXPECT_EQ(state.since(), at(10));
}

TEST(HealthState, OneOutcomeOfTheOtherKindStartsTheCountAgain) {
  HealthState state({2, 3, {}}, Health::kHealthy, at(0));
  for (int64_t n = 1; n < 100; ++n) {
    EXPECT_FALSE(state.record(n % 3 == 0, at(n), ticks(n)));
  }
  EXPECT_EQ(state.health(), Health::kHealthy);
}

// Outcomes a second apart from `begin` on; returns the first second at which it was healthy, or -1.
int64_t healthy_at(HealthState& state, int64_t begin, const std::string& outcomes) {
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const int64_t n = begin + static_cast<int64_t>(i);
    state.record(outcomes[i] == '+', at(n), ticks(n));
    if (state.health() == Health::kHealthy) {
      return n;
    }
  }
  return -1;
}

constexpr HealthRules kCooling = {2, 2, std::chrono::seconds(10)};

TEST(HealthState, TheFirstFailureOfALifeIsNotFlapping) {
  HealthState state(kCooling);
  state.record(true, at(0), ticks(0));
  healthy_at(state, 1, "--");
  state.record(false, at(2), ticks(2));
  EXPECT_EQ(state.health(), Health::kUnhealthy);
  EXPECT_FALSE(state.is_cooling_down());
  EXPECT_EQ(healthy_at(state, 3, "+++++"), 4);
}

TEST(HealthState, FailingAgainSoonAfterTheReturnCostsTheWholeCoolDown) {
  HealthState state(kCooling, Health::kUnhealthy, at(0));
  EXPECT_EQ(healthy_at(state, 1, "++"), 2);  // returned at 2
  state.record(false, at(10), ticks(10));
  state.record(false, at(11), ticks(11));  // 9 s later
  EXPECT_TRUE(state.is_cooling_down());
  EXPECT_EQ(healthy_at(state, 12, std::string(30, '+')), 22);  // ten seconds of nothing but successes
  EXPECT_FALSE(state.is_cooling_down());
}

TEST(HealthState, AFailureStartsTheCoolDownAgain) {
  HealthState state(kCooling, Health::kUnhealthy, at(0));
  healthy_at(state, 1, "++");
  state.record(false, at(3), ticks(3));
  state.record(false, at(4), ticks(4));
  EXPECT_EQ(healthy_at(state, 5, "+++++++++-+++++++++++++++"), 25);  // the row begins at 15
}

TEST(HealthState, WhoStayedHealthyForCoolDownIsNotFlapping) {
  HealthState state(kCooling, Health::kUnhealthy, at(0));
  EXPECT_EQ(healthy_at(state, 1, "++"), 2);
  state.record(false, at(11), ticks(11));
  state.record(false, at(12), ticks(12));
  EXPECT_EQ(state.health(), Health::kUnhealthy);
  EXPECT_EQ(healthy_at(state, 13, "++++"), 14);
}

TEST(HealthState, CoolDownDoesNotFollowAWallClockThatJumps) {
  HealthState state(kCooling, Health::kUnhealthy, at(0));
  healthy_at(state, 1, "++");
  state.record(false, at(3), ticks(3));
  state.record(false, at(4), ticks(4));
  EXPECT_FALSE(state.record(true, at(100000), ticks(5)));
  EXPECT_FALSE(state.record(true, at(200000), ticks(6)));
  EXPECT_TRUE(state.record(true, at(7), ticks(15)));
}

TEST(HealthState, IsSettledWhenAsManyAsAnyCountAreAlike) {
  HealthState state({2, 3, {}});
  EXPECT_FALSE(state.is_settled());
  for (int64_t n = 0; n < 3; ++n) {
    EXPECT_FALSE(state.is_settled());
    state.record(true, at(n), ticks(n));
  }
  EXPECT_TRUE(state.is_settled());
  state.record(false, at(3), ticks(3));
  EXPECT_EQ(state.health(), Health::kHealthy);
  EXPECT_FALSE(state.is_settled());
  for (int64_t n = 4; n < 7; ++n) {
    EXPECT_FALSE(state.is_settled());
    state.record(true, at(n), ticks(n));
  }
  EXPECT_TRUE(state.is_settled());
}

}  // namespace
}  // namespace maglb
