// Panic, fallback and their order, on plans of one pool.
#include "controlplane/desired/pool_plan.h"

#include <gtest/gtest.h>

#include "controlplane/desired/fallback.h"
#include "lib/base/name.h"

namespace maglb {
namespace {

PoolConfig pool_of(std::string name, std::initializer_list<const char*> backends) {
  PoolConfig pool;
  pool.name = std::move(name);
  for (const char* backend : backends) {
    pool.backends.push_back({backend, *IpAddress::parse("10.0.1.1")});
  }
  return pool;
}

class PoolPlanTest : public testing::Test {
 protected:
  // Those with "new" in their name have not been probed yet.
  PoolPlan plan(std::set<std::string> sick, const PoolConfig* fallback = nullptr, bool served = false) {
    const auto opinion = [&sick](const std::string& pool, const std::string& backend) {
      return backend.find("new") != std::string::npos ? ProbeOpinion::kUnknown
             : sick.contains(pool + "/" + backend)    ? ProbeOpinion::kUnhealthy
                                                      : ProbeOpinion::kHealthy;
    };
    verdicts_.judge_pool(pool_, opinion);
    if (fallback != nullptr) {
      verdicts_.judge_pool(*fallback, opinion);
    }
    return plan_pool(pool_, fallback, {verdicts_, slow_start_, drains_}, served);
  }

  static AdminState state_of(const PoolPlan& plan, std::string_view name) {
    for (const BackendConfig& backend : plan.pool.backends) {
      if (backend.name == name) {
        return backend.state;
      }
    }
    ADD_FAILURE() << name;
    return AdminState::kDown;
  }

  PoolConfig pool_ = pool_of("web", {"a", "b", "c", "d"});
  PoolConfig sorry_ = pool_of("sorry", {"s1", "s2"});
  Verdicts verdicts_;
  SlowStart slow_start_;
  DrainDeadlines drains_;
};

TEST(Panic, APercentageIsRoundedUpAndANumberNeverAboveThoseThatAreWanted) {
  EXPECT_EQ(needed_healthy({50, true}, 5), 3u);
  EXPECT_EQ(needed_healthy({1, true}, 5), 1u);
  EXPECT_EQ(needed_healthy({100, true}, 5), 5u);
  EXPECT_EQ(needed_healthy({7, false}, 5), 5u);
  EXPECT_EQ(needed_healthy({0, false}, 5), 0u);
  EXPECT_EQ(needed_healthy({50, true}, 0), 0u);
}

TEST_F(PoolPlanTest, BelowTheQuorumAllThatAreWantedAreHealthy) {
  pool_.min_healthy = {50, true};
  pool_.backends[3].state = AdminState::kDrain;  // of the three others, two have to be healthy
  EXPECT_FALSE(plan({"web/a"}).panic);
  const PoolPlan panic = plan({"web/a", "web/b", "web/d"});
  EXPECT_TRUE(panic.panic);
  EXPECT_EQ(panic.healthy, (std::set<std::string, std::less<>>{"a", "b", "c"})) << "d was not wanted";
}

TEST_F(PoolPlanTest, PanicGivesWholeWeights) {
  pool_.min_healthy = {4, false};
  slow_start_.begin({"web", "b"}, std::chrono::seconds(10), {});
  EXPECT_EQ(plan({}).pool.backends[1].weight, 10u);
  EXPECT_EQ(plan({"web/a"}).pool.backends[1].weight, 100u);
}

TEST(Fallback, ItsBackendsHaveNamesThatNoDocumentHas) {
  const std::string name = fallback_name("sorry", "s1");
  EXPECT_FALSE(is_name(name));
  EXPECT_TRUE(is_backend_name(name)) << "and the dataplane takes them";
  for (const char* not_one : {":s1", "sorry:", "a:b:c", ":", "", "a:b "}) {
    EXPECT_FALSE(is_backend_name(not_one)) << not_one;
  }
}

TEST_F(PoolPlanTest, TheFallbackServesWhileNobodyIsHealthy) {
  pool_.fallback = "sorry";
  const PoolPlan one_left = plan({"web/a", "web/b", "web/c"}, &sorry_);
  EXPECT_FALSE(one_left.on_fallback);
  EXPECT_EQ(state_of(one_left, "sorry:s1"), AdminState::kDrain) << "flows that it has live on";
  const PoolPlan none = plan({"web/a", "web/b", "web/c", "web/d", "sorry/s2"}, &sorry_);
  EXPECT_TRUE(none.on_fallback);
  EXPECT_EQ(state_of(none, "sorry:s1"), AdminState::kUp);
  EXPECT_EQ(none.healthy, (std::set<std::string, std::less<>>{"sorry:s1"}));
}

TEST_F(PoolPlanTest, PanicGoesBeforeTheFallbackAndAFallbackThatIsDeadServesNobody) {
  const std::set<std::string> all = {"web/a", "web/b", "web/c", "web/d"};
  pool_.min_healthy = {1, false};
  EXPECT_FALSE(plan(all, &sorry_).on_fallback);
  pool_.min_healthy = {};
  std::set<std::string> everyone = all;
  everyone.insert({"sorry/s1", "sorry/s2"});
  EXPECT_FALSE(plan(everyone, &sorry_).on_fallback);
  EXPECT_TRUE(plan(all, &sorry_).on_fallback);
}

TEST_F(PoolPlanTest, AFallbackThatDiesServesOnWhileNobodyIsHealthyAnywhere) {
  const std::set<std::string> everyone = {"web/a", "web/b", "web/c", "web/d", "sorry/s1", "sorry/s2"};
  const PoolPlan still = plan(everyone, &sorry_, true);
  EXPECT_TRUE(still.on_fallback);
  EXPECT_EQ(state_of(still, "sorry:s1"), AdminState::kUp);
  EXPECT_TRUE(still.healthy.empty());
  EXPECT_FALSE(plan({}, &sorry_, true).on_fallback) << "its pool is back";
}

TEST_F(PoolPlanTest, ANewBackendEndsNoFallbackBeforeItIsJudged) {
  const std::set<std::string> all = {"web/a", "web/b", "web/c", "web/d"};
  plan(all, &sorry_);
  pool_.backends.push_back({"new", *IpAddress::parse("10.0.1.2")});
  const PoolPlan added = plan(all, &sorry_, true);
  EXPECT_TRUE(added.on_fallback);
  EXPECT_FALSE(added.healthy.contains("new"));
  EXPECT_TRUE(plan(all, &sorry_, false).on_fallback) << "nor does it serve in its stead";
  pool_.backends = {pool_.backends.back()};
  EXPECT_TRUE(plan({}, &sorry_, true).on_fallback) << "also where all others are gone";
}

TEST_F(PoolPlanTest, APoolOfNewBackendsOnlyTriesThem) {
  plan({}, &sorry_);
  pool_.backends = {{"new1", *IpAddress::parse("10.0.1.2")}, {"new2", *IpAddress::parse("10.0.1.3")}};
  const PoolPlan replaced = plan({}, &sorry_);
  EXPECT_FALSE(replaced.on_fallback);
  EXPECT_TRUE(replaced.healthy.contains("new1") && replaced.healthy.contains("new2"));
}

TEST_F(PoolPlanTest, APoolThatStartsServesBeforeItsFirstProbe) {
  pool_.backends = {{"new1", *IpAddress::parse("10.0.1.2")}, {"new2", *IpAddress::parse("10.0.1.3")}};
  pool_.min_healthy = {100, true};
  const PoolPlan fresh = plan({}, &sorry_);
  EXPECT_FALSE(fresh.on_fallback || fresh.panic);
  EXPECT_TRUE(fresh.healthy.contains("new1") && fresh.healthy.contains("new2"));
}

TEST_F(PoolPlanTest, ANewBackendNeitherEndsAPanicNorBeginsOne) {
  pool_.min_healthy = {1, false};
  const std::set<std::string> all = {"web/a", "web/b", "web/c", "web/d"};
  ASSERT_TRUE(plan(all).panic);
  pool_.backends.push_back({"new1", *IpAddress::parse("10.0.1.2")});
  EXPECT_TRUE(plan(all).panic);
  pool_.min_healthy = {75, true};
  pool_.backends.push_back({"new2", *IpAddress::parse("10.0.1.3")});
  EXPECT_FALSE(plan({}).panic) << "four of the four that were judged are healthy";
}

TEST_F(PoolPlanTest, EachPoolsBoundOfConnectionsIsForItsOwn) {
  pool_.max_connections = 100;
  pool_.backends[1].max_connections = 7;
  sorry_.max_connections = 5;
  sorry_.backends[1].max_connections = 3;
  const auto bound_of = [this](const std::string& name, uint32_t of_sorry) {
    sorry_.max_connections = of_sorry;
    for (const BackendConfig& backend : plan({}, &sorry_).pool.backends) {
      if (backend.name == name) {
        return backend.max_connections;
      }
    }
    return UINT32_MAX;
  };
  EXPECT_EQ(bound_of("a", 5), 100u);
  EXPECT_EQ(bound_of("b", 5), 7u);
  EXPECT_EQ(bound_of("sorry:s1", 5), 5u);
  EXPECT_EQ(bound_of("sorry:s2", 5), 3u);
  EXPECT_EQ(bound_of("sorry:s1", 0), 0u) << "the fallback has none, and gets none of the pool's";
  EXPECT_EQ(plan({}, &sorry_).pool.max_connections, 0u);
}

TEST_F(PoolPlanTest, AClosedDrainCountsAsDown) {
  pool_.backends[0].state = AdminState::kDrain;
  pool_.drain_timeout = std::chrono::seconds(1);
  pool_.drain_end = DrainEnd::kClose;
  ServiceConfig config;
  config.pools = {pool_};
  drains_.follow(config, DrainDeadlines::Wall(std::chrono::seconds(10)));
  EXPECT_EQ(state_of(plan({}), "a"), AdminState::kDrain);
  drains_.advance(DrainDeadlines::Wall(std::chrono::seconds(11)));
  EXPECT_EQ(state_of(plan({}), "a"), AdminState::kDown);
}

}  // namespace
}  // namespace maglb
