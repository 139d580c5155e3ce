#include "controlplane/desired/probe_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace maglb {
namespace {

PoolConfig pool_with(ProbeType type, uint16_t port = 0) {
  PoolConfig pool;
  pool.name = "web";
  pool.health.type = type;
  pool.health.port = port;
  for (uint8_t i = 1; i <= 2; ++i) {
    BackendConfig backend;
    backend.name = "b" + std::to_string(i);
    backend.address = IpAddress::v4({10, 0, 1, i});
    pool.backends.push_back(backend);
  }
  return pool;
}

ServiceConfig config_with(PoolConfig pool, const std::vector<uint16_t>& ports) {
  ServiceConfig config;
  config.pools.push_back(std::move(pool));
  for (const uint16_t port : ports) {
    ServiceEntry service;
    service.name = "s" + std::to_string(port);
    service.port = {port, port};
    service.pool = "web";
    config.services.push_back(service);
  }
  return config;
}

// "b1 tcp 10.0.1.1:80"
std::vector<std::string> planned(const ServiceConfig& config) {
  std::vector<std::string> lines;
  for (const ProbeUser& user : plan_probes(config)) {
    lines.push_back(user.backend + " " + user.target.to_string());
  }
  return lines;
}

using Lines = std::vector<std::string>;

TEST(ProbePlan, KnocksAtTheProbesPortElseAtThoseOfTheServices) {
  EXPECT_EQ(planned(config_with(pool_with(ProbeType::kTcp, 8080), {80})),
            (Lines{"b1 tcp 10.0.1.1:8080", "b2 tcp 10.0.1.2:8080"}));
  EXPECT_EQ(planned(config_with(pool_with(ProbeType::kTcp), {80, 443})).size(), 4u);
  EXPECT_TRUE(planned(config_with(pool_with(ProbeType::kTcp), {})).empty());
}

TEST(ProbePlan, IcmpAndExecNeedNoPort) {
  EXPECT_EQ(planned(config_with(pool_with(ProbeType::kIcmp), {})),
            (Lines{"b1 icmp 10.0.1.1", "b2 icmp 10.0.1.2"}));
  EXPECT_EQ(planned(config_with(pool_with(ProbeType::kIcmp), {80, 443})).size(), 2u);
  PoolConfig exec = pool_with(ProbeType::kExec);
  exec.health.command = {"/bin/true"};
  EXPECT_EQ(planned(config_with(exec, {80})),
            (Lines{"b1 exec 10.0.1.1:80 /bin/true", "b2 exec 10.0.1.2:80 /bin/true"}));
  EXPECT_EQ(planned(config_with(exec, {80, 443})),
            (Lines{"b1 exec 10.0.1.1 /bin/true", "b2 exec 10.0.1.2 /bin/true"}));
}

TEST(ProbePlan, ABackendsOwnProbeTakesThePlaceOfThePools) {
  PoolConfig pool = pool_with(ProbeType::kTcp, 80);
  pool.backends[0].health = ProbeConfig{};
  pool.backends[0].health->type = ProbeType::kNone;
  pool.backends[1].health = ProbeConfig{};
  pool.backends[1].health->type = ProbeType::kHttp;
  pool.backends[1].health->path = "/up";
  EXPECT_EQ(planned(config_with(pool, {81})), (Lines{"b2 http 10.0.1.2:81/up"}));
  pool.health = ProbeConfig{};
  pool.health.type = ProbeType::kNone;
  EXPECT_EQ(planned(config_with(pool, {81})), (Lines{"b2 http 10.0.1.2:81/up"}));
}

TEST(ProbePlan, AFallbackIsKnockedAtWhereTheServicesItServesForAre) {
  ServiceConfig config = config_with(pool_with(ProbeType::kTcp), {80});
  config.pools[0].fallback = "sorry";
  PoolConfig sorry = pool_with(ProbeType::kTcp);
  sorry.name = "sorry";
  sorry.backends.resize(1);
  config.pools.push_back(sorry);
  EXPECT_EQ(planned(config), (Lines{"b1 tcp 10.0.1.1:80", "b2 tcp 10.0.1.2:80", "b1 tcp 10.0.1.1:80"}));
}

}  // namespace
}  // namespace maglb
