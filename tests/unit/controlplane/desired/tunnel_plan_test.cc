#include "controlplane/desired/probe_plan.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

ServiceEntry service(const char* address, uint16_t port, ForwardMode mode) {
  ServiceEntry entry;
  entry.address = *IpPrefix::parse(address);
  entry.port = {port, port};
  entry.pool = "web";
  entry.forward = mode;
  return entry;
}

ServiceConfig config_of(std::vector<ServiceEntry> services, ProbeVia via) {
  ServiceConfig config;
  PoolConfig pool;
  pool.name = "web";
  pool.health.via = via;
  BackendConfig backend;
  backend.name = "a";
  backend.address = *IpAddress::parse("10.0.1.11");
  pool.backends.push_back(backend);
  config.pools.push_back(pool);
  config.services = std::move(services);
  return config;
}

TEST(TunnelPlan, OneTargetForEachAddressPortAndEncapsulation) {
  const auto users = plan_probes(config_of(
      {service("198.51.100.1", 80, ForwardMode::kIpip), service("198.51.100.1", 81, ForwardMode::kIpip),
       service("198.51.100.2", 80, ForwardMode::kIpip), service("198.51.100.2", 80, ForwardMode::kL2),
       service("198.51.100.2", 80, ForwardMode::kL2), service("198.51.100.3", 80, ForwardMode::kNat)},
      ProbeVia::kTunnel));
  ASSERT_EQ(users.size(), 4u);
  for (const ProbeUser& user : users) {
    EXPECT_EQ(user.target.address, *IpAddress::parse("10.0.1.11")) << "who is judged";
    EXPECT_NE(user.target.connect_to, user.target.address);
    ASSERT_TRUE(user.path);
    EXPECT_EQ(user.path->backend, user.target.address);
  }
  EXPECT_EQ(users[3].path->mode, ForwardMode::kL2);
}

TEST(TunnelPlan, AServiceOfAPrefixIsProbedAtAnAddressInIt) {
  const auto users =
      plan_probes(config_of({service("198.51.100.0/24", 80, ForwardMode::kGue)}, ProbeVia::kTunnel));
  ASSERT_EQ(users.size(), 1u);
  EXPECT_EQ(users[0].target.connect_to, *IpAddress::parse("198.51.100.1"));
  EXPECT_EQ(users[0].path->gue_port, kDefaultGuePort);
}

TEST(TunnelPlan, DirectlyOneTargetForEachPort) {
  const auto users = plan_probes(config_of(
      {service("198.51.100.1", 80, ForwardMode::kIpip), service("198.51.100.2", 80, ForwardMode::kL2)},
      ProbeVia::kDirect));
  ASSERT_EQ(users.size(), 1u);
  EXPECT_FALSE(users[0].path);
  EXPECT_EQ(users[0].target.connect_to, users[0].target.address);
}

TEST(TunnelPlan, ABackendsOwnProbeComesFirst) {
  ServiceConfig config = config_of({service("198.51.100.1", 80, ForwardMode::kIpip)}, ProbeVia::kDirect);
  config.pools[0].backends[0].health = ProbeConfig{};
  config.pools[0].backends[0].health->port = 8080;
  const auto users = plan_probes(config);
  ASSERT_EQ(users.size(), 1u);
  EXPECT_EQ(users[0].target.port, 8080);
}

}  // namespace
}  // namespace maglb
