#include "lib/flow/backend_flows.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "lib/flow/flow_table.h"

namespace maglb {
namespace {

constexpr Time kStart = std::chrono::seconds(1000);
constexpr uint16_t kPools = 3;
constexpr uint16_t kPlaces = 5;

// Counter indexes that are neither in order nor next to each other.
struct Indexes {
  Indexes() {
    for (uint32_t pool = 0; pool < kPools; ++pool) {
      for (uint32_t place = 0; place < kPlaces; ++place) {
        index[pool][place] = 97 - 7 * pool - place;
      }
      pools[pool] = {index[pool], sizeof(uint32_t), true, kPlaces};
    }
  }
  uint32_t index[kPools][kPlaces];
  PlaceCounters pools[kPools];
};

// What a look at every entry says. REQUIRES: none has expired.
void expect_exact(const FlowTable& table, const Indexes& indexes, const BackendFlows& flows, Tick tick) {
  uint32_t scanned[kPools][kPlaces] = {};
  table.for_each(tick, [&](const FlowEntry& entry) { ++scanned[entry.backend.pool][entry.backend.place]; });
  for (uint32_t pool = 0; pool < kPools; ++pool) {
    for (uint32_t place = 0; place < kPlaces; ++place) {
      ASSERT_EQ(flows.own(indexes.index[pool][place]), scanned[pool][place]) << pool << "/" << place;
    }
  }
}

TEST(BackendFlows, AreWhatAScanOfTheTableSaysAfterAnyOperations) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    Indexes indexes;
    BackendFlows flows(100, std::pmr::get_default_resource());
    flows.use(indexes.pools);
    // Small, so that entries move, give way to each other and find no room.
    std::vector<FlowTable::Bucket> buckets(FlowTable::buckets_for(300));
    FlowTable table(buckets);
    table.count_in(&flows);
    Time now = kStart;
    for (int step = 0; step < 60'000; ++step) {
      const uint64_t flow = random() % 700;
      const FlowDigest digest{flow * 0x9e3779b97f4a7c15 >> 7, (flow + 1) * 0xbf58476d1ce4e5b9};
      const BackendId backend{static_cast<uint16_t>(random() % kPools),
                              static_cast<uint16_t>(random() % kPlaces)};
      const FlowEntry entry{backend, static_cast<FlowState>(random() % kFlowStates),
                            Deadline::after(now, std::chrono::milliseconds(500 + random() % 4000))};
      switch (random() % 8) {
        case 0:
          table.erase(digest, Tick::at(now));
          break;
        case 1:
          table.let_move_behind(random() % 2 == 0);
          table.sweep(random() % 20, Tick::at(now),
                      [&](const FlowEntry& seen) { return seen.backend.place != 0; });
          break;
        case 2:
          now += std::chrono::milliseconds(random() % 60);
          break;
        default:
          table.store(digest, entry, Tick::at(now));
      }
      if (step % 500 == 0) {
        while (!table.sweep(1, Tick::at(now), [](const FlowEntry&) { return true; })) {
        }
        table.sweep(buckets.size(), Tick::at(now), [](const FlowEntry&) { return true; });
        expect_exact(table, indexes, flows, Tick::at(now));
      }
    }
    EXPECT_GT(table.size(), 50u);
    table.sweep(2 * buckets.size(), Tick::at(now), [](const FlowEntry&) { return false; });
    table.sweep(2 * buckets.size(), Tick::at(now), [](const FlowEntry&) { return false; });
    for (uint32_t index = 0; index < 100; ++index) {
      ASSERT_EQ(flows.own(index), 0u);
    }
  }
}

TEST(BackendFlows, AWorkerKnowsTheSumOfTheOthersAndItsOwnChangeSince) {
  Indexes indexes;
  BackendFlows a(100, std::pmr::get_default_resource());
  BackendFlows b(100, std::pmr::get_default_resource());
  BackendFlows* const workers[] = {&a, &b};
  const uint32_t index = indexes.index[1][2];
  const uint32_t watched[] = {index};
  for (BackendFlows* worker : workers) {
    worker->use(indexes.pools);
  }
  for (int i = 0; i < 5; ++i) {
    a.add({1, 2}, 1);
  }
  b.add({1, 2}, 1);
  EXPECT_EQ(a.total(index), 5u);
  EXPECT_EQ(b.total(index), 1u);
  share_flows(workers, watched);
  EXPECT_EQ(a.total(index), 6u);
  EXPECT_EQ(b.total(index), 6u);
  b.add({1, 2}, 1);
  a.add({1, 2}, -1);
  EXPECT_EQ(a.total(index), 5u);
  EXPECT_EQ(b.total(index), 7u);
  share_flows(workers, watched);
  EXPECT_EQ(a.total(index), 6u);
  EXPECT_EQ(b.total(index), 6u);
  EXPECT_EQ(flows_of(workers, index), 6u);
  forget_flows(workers, watched);
  EXPECT_EQ(a.total(index), 4u);
}

TEST(BackendFlows, WhatIsBelowNoneIsNoneAndAnUnknownPlaceIsNotCounted) {
  Indexes indexes;
  BackendFlows flows(100, std::pmr::get_default_resource());
  flows.add({0, 0}, 1);
  flows.use(indexes.pools);
  flows.add({kPools, 0}, 1);
  flows.add({0, kPlaces}, 1);
  for (uint32_t index = 0; index < 100; ++index) {
    ASSERT_EQ(flows.own(index), 0u);
  }
  flows.add({0, 0}, -1);
  EXPECT_EQ(flows.total(indexes.index[0][0]), 0u);
}

// For a sanitizer, and for what a worker may read at any time: never more than there ever were.
TEST(BackendFlows, AreSharedWhileWorkersRun) {
  constexpr int kFlows = 20'000;
  Indexes indexes;
  BackendFlows a(100, std::pmr::get_default_resource());
  BackendFlows b(100, std::pmr::get_default_resource());
  BackendFlows* const workers[] = {&a, &b};
  const uint32_t index = indexes.index[0][1];
  const uint32_t watched[] = {index};
  std::atomic<int> running{2};
  const auto run = [&](BackendFlows& flows) {
    flows.use(indexes.pools);
    for (int i = 0; i < kFlows; ++i) {
      flows.add({0, 1}, 1);
      EXPECT_LE(flows.total(index), 2u * kFlows);
      EXPECT_GE(flows.total(index), static_cast<uint32_t>(i + 1));
    }
    --running;
  };
  std::thread first(run, std::ref(a));
  std::thread second(run, std::ref(b));
  while (running > 0) {
    share_flows(workers, watched);
  }
  first.join();
  second.join();
  share_flows(workers, watched);
  EXPECT_EQ(a.total(index), 2u * kFlows);
  EXPECT_EQ(b.total(index), 2u * kFlows);
}

}  // namespace
}  // namespace maglb
