#include "controlplane/desired/network_guard.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

using Turn = NetworkGuard::Turn;

WallTime at(int seconds) {
  return WallTime(std::chrono::seconds(1000 + seconds));
}

ProbedBackend backend(const char* name, Health health, int since, uint64_t consecutive = 1) {
  return {{"web", name}, health, at(since), consecutive, 3};
}

// Two hundred looks' worth of a prober, by hand.
class NetworkGuardTest : public testing::Test {
 protected:
  Turn look(int time, uint64_t failing, uint64_t successes) {
    ProbeCounters counters;
    counters.with_outcome = everyone_.size();
    counters.failing = failing;
    counters.successes = successes;
    return guard_.look(
        counters, [this] { return everyone_; },
        [this](const BackendKey& key) -> std::optional<uint64_t> {
          for (const ProbedBackend& one : everyone_) {
            if (one.key == key) {
              return one.consecutive;
            }
          }
          return std::nullopt;
        },
        at(time));
  }

  NetworkGuard guard_;
  std::vector<ProbedBackend> everyone_{backend("a", Health::kHealthy, 0), backend("b", Health::kHealthy, 0),
                                       backend("c", Health::kHealthy, 0)};
};

TEST_F(NetworkGuardTest, HoldsWhoWasGoodWhenAllFailTogether) {
  EXPECT_EQ(look(1, 0, 3), Turn::kNone);
  EXPECT_EQ(look(2, 2, 4), Turn::kNone) << "one still answers";
  EXPECT_EQ(look(3, 3, 4), Turn::kBegun);
  EXPECT_TRUE(guard_.holds({"web", "a"}));
  EXPECT_TRUE(guard_.holds({"web", "c"}));
}

TEST_F(NetworkGuardTest, PutsBackWhoLeftInTheSameRound) {
  look(1, 0, 3);
  look(2, 1, 4);  // the last success is between 1 and 2
  everyone_[0] = backend("a", Health::kUnhealthy, 2);
  EXPECT_EQ(look(3, 3, 4), Turn::kBegun);
  EXPECT_TRUE(guard_.holds({"web", "a"}));
}

TEST_F(NetworkGuardTest, DoesNotHoldWhoWasDeadBefore) {
  look(1, 0, 3);
  everyone_[0] = backend("a", Health::kUnhealthy, 2);
  look(20, 1, 40);
  look(21, 1, 41);
  EXPECT_EQ(look(22, 3, 41), Turn::kBegun);
  EXPECT_FALSE(guard_.holds({"web", "a"}));
  EXPECT_TRUE(guard_.holds({"web", "b"}));
}

TEST_F(NetworkGuardTest, GivesUpWhenAllHaveFailedTheirFallMore) {
  look(1, 0, 3);
  look(2, 3, 3);
  for (ProbedBackend& one : everyone_) {
    one.consecutive = 4;
  }
  everyone_[1].consecutive = 3;
  EXPECT_EQ(look(3, 3, 3), Turn::kNone) << "b has failed only twice more";
  everyone_[1].consecutive = 4;
  EXPECT_EQ(look(4, 3, 3), Turn::kGivenUp);
  EXPECT_FALSE(guard_.holding());
  EXPECT_EQ(look(5, 3, 3), Turn::kNone) << "not twice for the same failure";
}

TEST_F(NetworkGuardTest, OneSuccessEndsIt) {
  look(1, 0, 3);
  look(2, 3, 3);
  EXPECT_EQ(look(3, 2, 4), Turn::kRecovered);
  EXPECT_FALSE(guard_.holding());
  EXPECT_EQ(look(4, 3, 4), Turn::kBegun) << "another failure is another hold";
}

TEST_F(NetworkGuardTest, OneTargetIsNoNetwork) {
  everyone_.resize(1);
  look(1, 0, 3);
  EXPECT_EQ(look(2, 1, 3), Turn::kNone);
}

TEST_F(NetworkGuardTest, MostHaveToHaveBeenGood) {
  look(1, 0, 3);
  everyone_[0] = backend("a", Health::kUnhealthy, 2);
  everyone_[1] = backend("b", Health::kUnhealthy, 2);
  look(20, 2, 40);
  look(21, 2, 41);
  EXPECT_EQ(look(22, 3, 41), Turn::kNone);
  EXPECT_FALSE(guard_.holding());
}

TEST_F(NetworkGuardTest, AFirstStartWithoutANetworkHoldsNobody) {
  for (ProbedBackend& one : everyone_) {
    one.health = Health::kUnhealthy;
  }
  EXPECT_EQ(look(1, 3, 0), Turn::kNone);
}

}  // namespace
}  // namespace maglb
