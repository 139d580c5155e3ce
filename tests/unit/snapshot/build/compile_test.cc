#include "lib/snapshot/build/compile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace maglb {
namespace {

using Names = std::set<std::string>;

ServiceConfig two_pools() {
  ServiceConfig config;
  config.seed = 7;
  for (const char* name : {"web", "dns"}) {
    PoolConfig pool;
    pool.name = name;
    pool.table_size = 251;
    for (uint8_t i = 1; i <= 4; ++i) {
      BackendConfig backend;
      backend.name = std::string(1, static_cast<char>('a' + i - 1));
      backend.address = IpAddress::v4(std::array<uint8_t, 4>{10, 0, 1, i});
      pool.backends.push_back(backend);
    }
    config.pools.push_back(pool);
    ServiceEntry service;
    service.name = name;
    service.address = IpAddress::v4(std::array<uint8_t, 4>{198, 51, 100, 1});
    service.port = static_cast<uint16_t>(80 + config.services.size());
    service.pool = name;
    config.services.push_back(service);
  }
  return config;
}

HealthOf all_but(Names sick) {
  return [sick](std::string_view pool, std::string_view backend) {
    return !sick.contains(std::string(pool) + "/" + std::string(backend));
  };
}

const CompiledPool& pool_of(const Compiled& compiled, const std::string& name) {
  return *std::find_if(compiled.pools.begin(), compiled.pools.end(),
                       [&](const CompiledPool& pool) { return pool.spec->name == name; });
}

Names in_table(const CompiledPool& pool) {
  Names names;
  for (const uint16_t slot : pool.spec->slots) {
    if (slot != kNoBackend) {
      names.insert(pool.spec->backends.at(slot).name);
    }
  }
  return names;
}

BackendState state_of(const Compiled& compiled, const std::string& backend) {
  for (const BackendSpec& spec : pool_of(compiled, "web").spec->backends) {
    if (spec.name == backend) {
      return spec.state;
    }
  }
  ADD_FAILURE() << backend;
  return BackendState::kDown;
}

TEST(Compile, TheTableHasWhoIsWantedHealthyAndOfWeight) {
  ServiceConfig config = two_pools();
  auto& web = config.pools[0].backends;
  web[0].state = AdminState::kDrain;
  web[1].weight = 0;
  const Compiled compiled = compile(config, all_but({"web/c"}), nullptr);
  EXPECT_EQ(in_table(pool_of(compiled, "web")), Names{"d"});
  EXPECT_EQ(in_table(pool_of(compiled, "dns")), (Names{"a", "b", "c", "d"}));
  EXPECT_EQ(state_of(compiled, "a"), BackendState::kDrain);
  EXPECT_EQ(state_of(compiled, "b"), BackendState::kUp);
  EXPECT_EQ(state_of(compiled, "c"), BackendState::kUnhealthy);
  EXPECT_FALSE(pool_of(compiled, "web").stale);
}

TEST(Compile, AFailingBackendIsUnhealthyEvenWhenItDrainsAndDownEvenWhenItFails) {
  ServiceConfig config = two_pools();
  config.pools[0].backends[0].state = AdminState::kDrain;
  config.pools[0].backends[1].state = AdminState::kDown;
  const Compiled compiled = compile(config, all_but({"web/a", "web/b"}), nullptr);
  EXPECT_EQ(state_of(compiled, "a"), BackendState::kUnhealthy);
  EXPECT_EQ(state_of(compiled, "b"), BackendState::kDown);
}

TEST(Compile, APoolWithoutAProbeIsHealthy) {
  ServiceConfig config = two_pools();
  config.pools[0].health.type = ProbeType::kNone;
  const Compiled compiled = compile(config, all_but({"web/a"}), nullptr);
  EXPECT_EQ(state_of(compiled, "a"), BackendState::kUp);
}

TEST(Compile, TheOrderOfTheFileChangesNothing) {
  const ServiceConfig config = two_pools();
  ServiceConfig reversed = config;
  std::reverse(reversed.pools.begin(), reversed.pools.end());
  std::reverse(reversed.services.begin(), reversed.services.end());
  for (PoolConfig& pool : reversed.pools) {
    std::reverse(pool.backends.begin(), pool.backends.end());
  }
  EXPECT_TRUE(forwards_alike(compile(config, all_but({}), nullptr), compile(reversed, all_but({}), nullptr)));
}

TEST(Compile, TheLastTableStaysWhenEveryBackendFails) {
  const ServiceConfig config = two_pools();
  const Compiled some = compile(config, all_but({"web/a", "web/b"}), nullptr);
  const Compiled none = compile(config, all_but({"web/a", "web/b", "web/c", "web/d"}), &some);
  EXPECT_TRUE(pool_of(none, "web").stale);
  EXPECT_EQ(pool_of(none, "web").spec->slots, pool_of(some, "web").spec->slots);
  EXPECT_FALSE(pool_of(none, "dns").stale);

  const Compiled back = compile(config, all_but({"web/b", "web/c", "web/d"}), &none);
  EXPECT_FALSE(pool_of(back, "web").stale);
  EXPECT_EQ(in_table(pool_of(back, "web")), Names{"a"});
}

TEST(Compile, AStaleTableForgetsABackendThatIsRemoved) {
  ServiceConfig config = two_pools();
  const Names everyone{"web/a", "web/b", "web/c", "web/d"};
  const Compiled some = compile(config, all_but({"web/a", "web/b"}), nullptr);
  config.pools[0].backends.erase(config.pools[0].backends.begin() + 2);  // c
  const Compiled none = compile(config, all_but(everyone), &some);
  EXPECT_EQ(in_table(pool_of(none, "web")), Names{"d"});
}

TEST(Compile, AtTheFirstTimeAStalePoolServesAllThatAreWanted) {
  ServiceConfig config = two_pools();
  config.pools[0].backends[3].state = AdminState::kDown;
  const Compiled none = compile(config, all_but({"web/a", "web/b", "web/c", "web/d"}), nullptr);
  EXPECT_TRUE(pool_of(none, "web").stale);
  EXPECT_EQ(in_table(pool_of(none, "web")), (Names{"a", "b", "c"}));
}

TEST(Compile, APoolWithNobodyWantedIsEmptyAndNotStale) {
  ServiceConfig config = two_pools();
  for (BackendConfig& backend : config.pools[0].backends) {
    backend.state = AdminState::kDrain;
  }
  const Compiled compiled = compile(config, all_but({}), nullptr);
  EXPECT_TRUE(in_table(pool_of(compiled, "web")).empty());
  EXPECT_FALSE(pool_of(compiled, "web").stale);
}

TEST(Compile, AnUnchangedPoolIsTheSameObject) {
  const ServiceConfig config = two_pools();
  const Compiled first = compile(config, all_but({}), nullptr);
  const Compiled second = compile(config, all_but({"web/a"}), &first);
  EXPECT_EQ(pool_of(first, "dns").spec, pool_of(second, "dns").spec);
  EXPECT_NE(pool_of(first, "web").spec, pool_of(second, "web").spec);
  EXPECT_EQ(first.services, second.services);
}

// What is taken over from the state before must be what a build from nothing gives.
TEST(Compile, ReusedTablesAreThoseThatWouldBeBuilt) {
  ServiceConfig config = two_pools();
  Compiled last = compile(config, all_but({}), nullptr);
  const auto step = [&](const HealthOf& health) {
    Compiled next = compile(config, health, &last);
    EXPECT_TRUE(forwards_alike(next, compile(config, health, nullptr)));
    last = std::move(next);
  };
  config.pools[0].backends[2].state = AdminState::kDrain;
  step(all_but({}));
  config.pools[0].backends.erase(config.pools[0].backends.begin() + 2);
  step(all_but({}));
  config.pools[0].backends[0].address = IpAddress::v4(std::array<uint8_t, 4>{10, 0, 1, 77});
  step(all_but({}));
  config.pools[0].backends[1].weight = 50;
  step(all_but({"dns/b"}));
  config.seed = 8;
  step(all_but({}));
  config.pools[1].table_size = 509;
  step(all_but({}));
}

TEST(Difference, IsTheWholeStateWithoutABase) {
  const Compiled wanted = compile(two_pools(), all_but({}), nullptr);
  const Change change = difference(nullptr, 0, wanted, 5);
  EXPECT_EQ(change.generation, 5u);
  EXPECT_EQ(change.base_generation, 0u);
  EXPECT_EQ(change.pools.size(), 2u);
  EXPECT_TRUE(change.services.has_value());
}

TEST(Compile, CarriesSchedulersAndBounds) {
  ServiceConfig config = two_pools();
  PoolConfig& web = config.pools[0];
  web.scheduler = Scheduler::kSourceHash;
  web.source_prefix_v4 = 24;
  web.source_prefix_v6 = 56;
  web.max_connections = 100;
  web.backends[1].max_connections = 7;
  const Compiled base = compile(two_pools(), all_but({}), nullptr);
  const Compiled compiled = compile(config, all_but({}), &base);
  const PoolSpec& spec = *pool_of(compiled, "web").spec;
  EXPECT_EQ(spec.scheduler, Scheduler::kSourceHash);
  EXPECT_EQ(spec.source_prefix_v4, 24);
  EXPECT_EQ(spec.source_prefix_v6, 56);
  EXPECT_EQ(spec.backends[0].max_connections, 100u);
  EXPECT_EQ(spec.backends[1].max_connections, 7u);
  // And a change of these alone is one.
  EXPECT_EQ(difference(&base, 5, compiled, 6).pools.size(), 1u);
}

TEST(Compile, CarriesWhetherSignalsAreCounted) {
  ServiceConfig config = two_pools();
  config.pools[0].passive = true;
  const Compiled base = compile(two_pools(), all_but({}), nullptr);
  const Compiled compiled = compile(config, all_but({}), &base);
  EXPECT_TRUE(pool_of(compiled, "web").spec->passive);
  EXPECT_FALSE(pool_of(base, "web").spec->passive);
  EXPECT_EQ(pool_of(compiled, "web").spec->slots, pool_of(base, "web").spec->slots);
  EXPECT_EQ(difference(&base, 5, compiled, 6).pools.size(), 1u);
}

TEST(Difference, NamesOnlyWhatChanged) {
  ServiceConfig config = two_pools();
  const Compiled base = compile(config, all_but({}), nullptr);
  const Compiled flapped = compile(config, all_but({"web/a"}), &base);
  Change change = difference(&base, 5, flapped, 6);
  EXPECT_EQ(change.base_generation, 5u);
  ASSERT_EQ(change.pools.size(), 1u);
  EXPECT_EQ(change.pools[0]->name, "web");
  EXPECT_FALSE(change.services.has_value());

  config.pools.pop_back();
  config.services.pop_back();
  change = difference(&base, 5, compile(config, all_but({}), &base), 6);
  EXPECT_TRUE(change.pools.empty());
  EXPECT_EQ(change.removed_pools, std::vector<std::string>{"dns"});
  ASSERT_TRUE(change.services.has_value());
  EXPECT_EQ(change.services->size(), 1u);
}

}  // namespace
}  // namespace maglb
