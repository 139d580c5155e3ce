// Bounds of backends, and the counting of flows that they rest on.
#include <gtest/gtest.h>

#include <random>

#include "tests/support/schedule_rig.h"

namespace maglb {
namespace {

using testing::ScheduleRig;

class MaxConnections : public ::testing::TestWithParam<Scheduler> {};

TEST_P(MaxConnections, ABackendAtItsBoundGetsNoNewFlowAndTheOthersDo) {
  ScheduleRig rig(GetParam(), std::vector<uint32_t>(4, 100));
  rig.spec.backends[1].max_connections = 10;
  rig.publish();
  for (uint32_t i = 0; i < 400; ++i) {
    ASSERT_TRUE(rig.open(i).has_value());
    ASSERT_LE(rig.flows("b1"), 10u);
  }
  EXPECT_EQ(rig.flows("b1"), 10u);
  EXPECT_GT(rig.refused("b1"), 0u);
  EXPECT_EQ(rig.refused("b0"), 0u);
}

TEST_P(MaxConnections, WhenAllAreFullAFlowIsDroppedForThatAndCounted) {
  ScheduleRig rig(GetParam(), std::vector<uint32_t>(4, 100));
  for (BackendSpec& backend : rig.spec.backends) {
    backend.max_connections = 5;
  }
  rig.publish();
  uint32_t sent = 0;
  for (uint32_t i = 0; i < 50; ++i) {
    sent += rig.open(i) ? 1 : 0;
  }
  // All 20 are found: of so few backends every one is asked.
  EXPECT_EQ(sent, 20u);
  EXPECT_EQ(rig.dropped(DropReason::kBackendsFull), 30u);
  uint64_t refused = 0;
  for (const BackendSpec& backend : rig.spec.backends) {
    refused += rig.refused(backend.name);
  }
  EXPECT_GE(refused, 30u);
  // Who is in stays: its packets, and its SYN once more.
  EXPECT_TRUE(rig.open(0));
  EXPECT_TRUE(rig.send(ScheduleRig::packet(0, 40000, "A")));
  EXPECT_TRUE(rig.open(0));
  // And a place that is given up is taken again.
  rig.end(0);
  EXPECT_TRUE(rig.open(100));
  EXPECT_FALSE(rig.open(101));
}

TEST_P(MaxConnections, HoldsForFlowsThatAreMovedToo) {
  ScheduleRig rig(GetParam(), std::vector<uint32_t>(3, 100));
  for (BackendSpec& backend : rig.spec.backends) {
    backend.max_connections = 20;
  }
  rig.publish();
  for (uint32_t i = 0; i < 60; ++i) {
    rig.open(i);
    rig.send(ScheduleRig::packet(i, 40000, "A"));
  }
  rig.spec.backends[0].state = BackendState::kUnhealthy;
  rig.publish();
  for (uint32_t i = 0; i < 60; ++i) {
    rig.send(ScheduleRig::packet(i, 40000, "A"));
  }
  EXPECT_LE(rig.flows("b1"), 20u);
  EXPECT_LE(rig.flows("b2"), 20u);
}

INSTANTIATE_TEST_SUITE_P(Schedulers, MaxConnections,
                         ::testing::Values(Scheduler::kMaglev, Scheduler::kSourceHash, Scheduler::kRoundRobin,
                                           Scheduler::kLeastConnections, Scheduler::kRandom));

TEST(MaxConnectionsOfWorkers, IsExceededByNoMoreThanTheOthersOpenedSinceTheLastSums) {
  constexpr uint32_t kWorkers = 4;
  constexpr uint32_t kBound = 100;
  std::mt19937_64 random(23);
  for (const uint32_t between : {8u, 40u, 200u}) {
    SCOPED_TRACE(between);
    ScheduleRig rig(Scheduler::kRandom, {100, 100}, kWorkers);
    rig.spec.backends[0].max_connections = rig.spec.backends[1].max_connections = kBound;
    rig.publish();
    // Each worker opens as many as every other one between two sums.
    uint32_t number = 0;
    for (int round = 0; round < 100; ++round) {
      for (uint32_t i = 0; i < between; ++i, ++number) {
        rig.open(number, number % kWorkers);
      }
      for (const char* name : {"b0", "b1"}) {
        ASSERT_LE(rig.flows(name), kBound + (kWorkers - 1) * (between / kWorkers));
      }
      rig.share();
    }
    EXPECT_GE(rig.flows("b0"), kBound);
    EXPECT_GE(rig.flows("b1"), kBound);
  }
}

TEST(FlowCounts, AreWhatIsInTheTablesAfterAnyTraffic) {
  std::mt19937_64 random(29);
  ScheduleRig rig(Scheduler::kLeastConnections, std::vector<uint32_t>(6, 100), 3, 600);
  const char* const kFlags[] = {"S", "A", "A", "FA", "R", "U"};
  for (int step = 0; step < 30'000; ++step) {
    const auto client = static_cast<uint32_t>(random() % 900);
    rig.send(ScheduleRig::packet(client, 40000, kFlags[random() % 6]), static_cast<uint32_t>(random() % 3));
    rig.now += std::chrono::milliseconds(random() % 10);
    if (step % 300 == 0) {
      BackendSpec& backend = rig.spec.backends[random() % 6];
      backend.state = static_cast<BackendState>(random() % 3);
      rig.publish();
      rig.share();
    }
    if (step % 1000 == 999) {
      rig.sweep();
      const auto seen = rig.scan();
      for (const auto& one : rig.registry().backends()) {
        ASSERT_EQ(rig.counted(one.counter), seen.contains(one.counter) ? seen.at(one.counter) : 0u);
      }
    }
  }
}

TEST(FlowCounts, OfARemovedBackendAreNotTheNextOnes) {
  ScheduleRig rig(Scheduler::kLeastConnections, std::vector<uint32_t>(3, 100));
  for (uint32_t i = 0; i < 300; ++i) {
    rig.open(i);
  }
  EXPECT_GT(rig.flows("b1"), 50u);
  const auto counters = rig.registry().watched_counters();
  rig.spec.backends.erase(rig.spec.backends.begin() + 1);
  rig.publish();
  for (int i = 0; i < 4; ++i) {
    rig.sweep();
  }
  EXPECT_EQ(rig.registry().quarantined(), 0u);
  rig.spec.backends.push_back(testing::backend("new", 9));
  rig.publish();
  EXPECT_EQ(rig.registry().watched_counters().size(), 3u);
  EXPECT_EQ(rig.flows("new"), 0u);
  for (const uint32_t counter : rig.registry().watched_counters()) {
    EXPECT_NE(std::find(counters.begin(), counters.end(), counter), counters.end()) << "another index";
  }
  for (uint32_t i = 1000; i < 1100; ++i) {
    rig.open(i);
  }
  EXPECT_GT(rig.flows("new"), 50u);
}

}  // namespace
}  // namespace maglb
