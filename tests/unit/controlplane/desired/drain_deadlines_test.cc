#include "controlplane/desired/drain_deadlines.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

using std::chrono::seconds;

const BackendKey kKey{"web", "a"};

DrainDeadlines::Wall at(int time) {
  return DrainDeadlines::Wall(seconds(time));
}

ServiceConfig draining(Duration timeout, DrainEnd end = DrainEnd::kClose) {
  ServiceConfig config;
  PoolConfig pool;
  pool.name = "web";
  pool.drain_timeout = timeout;
  pool.drain_end = end;
  BackendConfig backend;
  backend.name = "a";
  backend.state = AdminState::kDrain;
  pool.backends.push_back(backend);
  config.pools.push_back(pool);
  return config;
}

TEST(DrainDeadlines, ClosesWhenTheTimeIsUpAndSaysSoOnce) {
  DrainDeadlines drains;
  EXPECT_EQ(drains.follow(draining(seconds(30)), at(100)).began, std::vector{kKey});
  EXPECT_EQ(drains.next_deadline(), at(130));
  EXPECT_TRUE(drains.advance(at(129)).empty());
  EXPECT_FALSE(drains.is_closed(kKey));
  EXPECT_EQ(drains.advance(at(130)), std::vector{kKey});
  EXPECT_TRUE(drains.is_closed(kKey));
  EXPECT_TRUE(drains.advance(at(131)).empty());
  EXPECT_FALSE(drains.next_deadline());
}

TEST(DrainDeadlines, LeavesFlowsWhenToldTo) {
  DrainDeadlines drains;
  drains.follow(draining(seconds(30), DrainEnd::kLeave), at(100));
  EXPECT_EQ(drains.advance(at(130)), std::vector{kKey});
  EXPECT_FALSE(drains.is_closed(kKey));
}

TEST(DrainDeadlines, ADrainWithoutATimeoutHasNoEnd) {
  DrainDeadlines drains;
  drains.follow(draining({}), at(100));
  EXPECT_FALSE(drains.next_deadline());
  EXPECT_TRUE(drains.advance(at(1000000)).empty());
}

TEST(DrainDeadlines, GoesOnOverARestart) {
  DrainDeadlines first;
  first.follow(draining(seconds(30)), at(100));
  DrainDeadlines second;
  second.remember(first.row(kKey));
  EXPECT_TRUE(second.follow(draining(seconds(30)), at(120)).began.empty());
  EXPECT_EQ(second.next_deadline(), at(130));
  second.advance(at(140));
  DrainDeadlines third;
  third.remember(second.row(kKey));
  third.follow(draining(seconds(30)), at(150));
  EXPECT_TRUE(third.is_closed(kKey));
  EXPECT_TRUE(third.advance(at(150)).empty()) << "it was told before the restart";
}

TEST(DrainDeadlines, ForgetsWhoIsUpAgain) {
  DrainDeadlines drains;
  drains.follow(draining(seconds(30)), at(100));
  ServiceConfig up = draining(seconds(30));
  up.pools[0].backends[0].state = AdminState::kUp;
  EXPECT_EQ(drains.follow(up, at(110)).forgotten, std::vector{kKey});
  drains.follow(draining(seconds(30)), at(120));
  EXPECT_EQ(drains.next_deadline(), at(150)) << "another drain begins anew";
}

TEST(DrainDeadlines, ALongerTimeoutOpensAgain) {
  DrainDeadlines drains;
  drains.follow(draining(seconds(30)), at(100));
  drains.advance(at(130));
  drains.follow(draining(seconds(60)), at(140));
  EXPECT_FALSE(drains.is_closed(kKey));
  EXPECT_EQ(drains.advance(at(160)), std::vector{kKey});
}

TEST(DrainDeadlines, WhatMayReturnIsPutAsideUntilItMayNot) {
  DrainDeadlines drains;
  const ServiceConfig drained = draining(seconds(30));
  drains.follow(drained, at(1));
  EXPECT_TRUE(drains.follow({}, at(2), true).forgotten.empty());
  EXPECT_EQ(drains.find(kKey), nullptr);
  EXPECT_TRUE(drains.follow(drained, at(3), true).began.empty());
  EXPECT_EQ(drains.find(kKey)->began, at(1));
  drains.follow({}, at(4), true);
  EXPECT_EQ(drains.follow({}, at(5)).forgotten, std::vector{kKey});
  EXPECT_TRUE(drains.follow({}, at(6)).forgotten.empty());
}

}  // namespace
}  // namespace maglb
