#include "lib/snapshot/build/churn.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace maglb {
namespace {

constexpr uint32_t kSlots = 1009;

ServiceConfig pool_of(uint8_t backends) {
  ServiceConfig config;
  config.seed = 7;
  PoolConfig pool;
  pool.name = "web";
  pool.table_size = kSlots;
  for (uint8_t i = 1; i <= backends; ++i) {
    BackendConfig backend;
    backend.name = "b" + std::to_string(i);
    backend.address = IpAddress::v4(std::array<uint8_t, 4>{10, 0, 0, i});
    pool.backends.push_back(backend);
  }
  config.pools.push_back(pool);
  return config;
}

Compiled compiled(const ServiceConfig& config) {
  return compile(
      config, [](std::string_view, std::string_view) { return true; }, nullptr);
}

PoolChurn churn_of(const ServiceConfig& before, const ServiceConfig& after) {
  const auto list = churn(compiled(before), compiled(after));
  EXPECT_EQ(list.size(), 1u);
  return list.at(0);
}

TEST(Churn, NothingMovesWhenNothingChanges) {
  EXPECT_EQ(churn_of(pool_of(4), pool_of(4)), (PoolChurn{"web", 0, kSlots}));
}

TEST(Churn, BackendsAreKnownByTheirNames) {
  ServiceConfig turned = pool_of(4);
  std::reverse(turned.pools[0].backends.begin(), turned.pools[0].backends.end());
  turned.pools[0].backends[0].address = IpAddress::v4(std::array<uint8_t, 4>{10, 0, 0, 99});
  EXPECT_EQ(churn_of(pool_of(4), turned).moved, 0u);
}

// Counted by names, slot by slot.
TEST(Churn, CountsTheSlotsOfARemovedBackendAndWhatMovesWithThem) {
  const Compiled before = compiled(pool_of(10));
  ServiceConfig less = pool_of(10);
  less.pools[0].backends.erase(less.pools[0].backends.begin());  // the indexes of all others change
  const Compiled after = compiled(less);
  const PoolSpec& a = *before.pools[0].spec;
  const PoolSpec& b = *after.pools[0].spec;
  uint64_t moved = 0;
  for (size_t i = 0; i < kSlots; ++i) {
    moved += a.backends.at(a.slots[i]).name == b.backends.at(b.slots[i]).name ? 0 : 1;
  }
  EXPECT_EQ(churn(before, after), (std::vector<PoolChurn>{{"web", moved, kSlots}}));
  EXPECT_GE(moved, kSlots / 10 - 5);
  EXPECT_LT(moved, kSlots / 4);
}

TEST(Churn, AllMoveToAndFromNobody) {
  EXPECT_EQ(churn_of(pool_of(0), pool_of(4)).moved, kSlots);
  EXPECT_EQ(churn_of(pool_of(4), pool_of(0)).moved, kSlots);
  EXPECT_EQ(churn_of(pool_of(0), pool_of(0)).moved, 0u);
}

TEST(Churn, ExpectsOfAnotherTableThatItChoosesAnew) {
  ServiceConfig larger = pool_of(4);
  larger.pools[0].table_size = 2003;
  const PoolChurn churn = churn_of(pool_of(4), larger);
  EXPECT_EQ(churn.total, 2003u);
  EXPECT_NEAR(static_cast<double>(churn.moved), 2003 * 0.75, 10);
  ServiceConfig other_seed = pool_of(4);
  other_seed.seed = 8;
  EXPECT_NEAR(static_cast<double>(churn_of(pool_of(4), other_seed).moved), kSlots * 0.75, 5);
  ServiceConfig one = pool_of(1);
  one.pools[0].table_size = 2003;
  EXPECT_EQ(churn_of(pool_of(1), one).moved, 0u);
}

TEST(Churn, NamesPoolsThatComeAndGo) {
  ServiceConfig renamed = pool_of(4);
  renamed.pools[0].name = "new";
  const std::vector<PoolChurn> expected = {{"new", 0, kSlots}, {"web", kSlots, kSlots}};
  EXPECT_EQ(churn(compiled(pool_of(4)), compiled(renamed)), expected);
}

}  // namespace
}  // namespace maglb
