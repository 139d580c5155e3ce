#include "lib/config/service/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/config/service/own_probes.h"

namespace maglb {
namespace {

ServiceConfig good() {
  ServiceConfig config;
  PoolConfig pool;
  pool.name = "web";
  pool.table_size = 7;
  pool.backends = {{"web1", IpAddress::v4({10, 0, 0, 1}), 100, AdminState::kUp},
                   {"web2", IpAddress::v4({10, 0, 0, 2}), 100, AdminState::kUp}};
  config.pools.push_back(pool);
  ServiceEntry service;
  service.name = "web";
  service.address = IpAddress::v4({198, 51, 100, 1});
  service.port = 80;
  service.pool = "web";
  config.services.push_back(service);
  return config;
}

std::string refusal(const ServiceConfig& config) {
  const auto result = validate(config);
  return result ? "accepted" : result.error().message;
}

TEST(Validate, AcceptsAGoodConfig) {
  EXPECT_EQ(refusal(good()), "accepted");
}

TEST(Validate, BoundsTheSlotsOfAllPoolsTogether) {
  ServiceConfig config = good();
  for (int i = 0; i < 5; ++i) {
    PoolConfig pool;
    pool.name = "big" + std::to_string(i);
    pool.table_size = kMaxPoolTableSize;
    config.pools.push_back(pool);
  }
  EXPECT_EQ(refusal(config), "accepted");
  config.pools.push_back(config.pools.back());
  config.pools.back().name = "last";
  EXPECT_EQ(
      refusal(config),
      "pool last: with this one the tables have 100663285 slots together, at most 100000000 are possible");
}

TEST(Validate, HoldsAChangeInMemoryToTheFilesRules) {
  ServiceConfig config = good();
  config.pools[0].backends[1].weight = 10001;
  EXPECT_EQ(refusal(config), "pool web: backend web2: weight: 10001 is not in 0..10000");

  config = good();
  config.pools[0].backends.push_back({"web2", IpAddress::v4({10, 0, 0, 3}), 1, AdminState::kUp});
  EXPECT_EQ(refusal(config), "pool web: backend web2: another backend of the pool has this name");

  config = good();
  config.pools[0].backends.push_back({"web 3", IpAddress::v4({10, 0, 0, 3}), 1, AdminState::kUp});
  EXPECT_THAT(refusal(config), testing::HasSubstr("expected a name of 1..63 characters"));

  config = good();
  for (uint8_t i = 3; i <= 7; ++i) {
    config.pools[0].backends.push_back(
        {"b" + std::to_string(i), IpAddress::v4({10, 0, 0, i}), 1, AdminState::kUp});
  }
  EXPECT_EQ(refusal(config), "pool web: table_size: expected more slots than the pool's 7 backends, not 7");

  config = good();
  config.services[0].pool = "nowhere";
  EXPECT_THAT(refusal(config), testing::HasSubstr("there is no pool 'nowhere'"));

  config = good();
  config.services[0].timeouts.udp = std::chrono::nanoseconds(1);
  EXPECT_THAT(refusal(config), testing::HasSubstr("whole milliseconds"));

  config = good();
  config.pools[0].health.type = ProbeType::kNone;
  config.pools[0].health.port = 80;
  EXPECT_THAT(refusal(config), testing::HasSubstr("type none has no other settings"));
}

TEST(Validate, ABackendCanBeRemovedWhateverMinHealthySays) {
  ServiceConfig config = good();
  config.pools[0].min_healthy = {2, false};
  EXPECT_EQ(refusal(config), "accepted");
  config.pools[0].backends.pop_back();
  EXPECT_EQ(refusal(config), "accepted");
  config.pools[0].min_healthy = {101, true};
  EXPECT_EQ(refusal(config), "pool web: min_healthy: expected a percentage in 1%..100%");
}

TEST(Validate, BoundsWhatTheProbesOfBackendsHoldTogether) {
  ServiceConfig config = good();
  config.services.clear();
  PoolConfig& pool = config.pools[0];
  pool.table_size = 65537;
  pool.backends.clear();
  ProbeConfig probe;
  probe.type = ProbeType::kExec;
  probe.command = {"/" + std::string(kMaxCommandWord - 1, 'x'), std::string(kMaxCommandWord, 'x')};
  const auto count = static_cast<uint32_t>(kMaxOwnProbeBytes / bytes_of(probe));
  for (uint32_t i = 0; i <= count; ++i) {
    pool.backends.push_back(
        {"b" + std::to_string(i),
         IpAddress::v4({10, 0, static_cast<uint8_t>(i / 250), static_cast<uint8_t>(i % 250 + 1)}), 100,
         AdminState::kUp});
    if (i < count) {
      pool.backends.back().health = probe;
    }
  }
  EXPECT_EQ(refusal(config), "accepted");
  pool.backends.back().health = probe;
  EXPECT_EQ(refusal(config), "pool web: backend b" + std::to_string(count) +
                                 ": health: with this one the probes of backends hold " +
                                 std::to_string((count + 1) * bytes_of(probe)) +
                                 " bytes together, at most 16777216 are possible");
}

TEST(Validate, AnEmptyPoolIsGood) {
  ServiceConfig config = good();
  config.pools[0].backends.clear();
  EXPECT_EQ(refusal(config), "accepted");
}

}  // namespace
}  // namespace maglb
