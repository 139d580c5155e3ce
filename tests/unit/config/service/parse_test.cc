#include "lib/config/service/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace maglb {
namespace {

constexpr std::string_view kExample = R"(# maglb.yaml
version: 1
seed: 7                             # fleet-wide selection seed
pools:
  web:
    scheduler: maglev               # maglev | source-hash | round-robin | least-connections | random
    table_size: 65537
    health: {type: http, port: 80, path: /healthz, interval: 1s, timeout: 500ms, rise: 2, fall: 3}
    backends:
      - {name: web1, address: 10.0.1.11, weight: 100}
      - {name: web2, address: 10.0.1.12, weight: 100, state: drain}   # up | drain | down
  dns:
    health: {type: none}
    backends: [{name: ns1, address: 10.0.1.21}]
services:
  - {name: web, address: 198.51.100.1, protocol: tcp, port: 80, pool: web, forward: ipip}
  - {name: dns, address: 198.51.100.2, protocol: udp, port: 53, pool: dns, forward: l2}
)";

ServiceConfig parsed(std::string_view text) {
  auto config = parse_service_config(text, "maglb.yaml");
  EXPECT_TRUE(config) << config.error().to_string();
  return config.value_or(ServiceConfig{});
}

TEST(ServiceConfigParse, ReadsTheExample) {
  const ServiceConfig config = parsed(kExample);
  EXPECT_EQ(config.seed, 7u);
  ASSERT_EQ(config.pools.size(), 2u);
  const PoolConfig& web = config.pools[0];
  EXPECT_EQ(web.name, "web");
  EXPECT_EQ(web.table_size, 65537u);
  EXPECT_EQ(web.health.type, ProbeType::kHttp);
  EXPECT_EQ(web.health.port, 80);
  EXPECT_EQ(web.health.path, "/healthz");
  EXPECT_EQ(web.health.interval, Duration(std::chrono::seconds(1)));
  EXPECT_EQ(web.health.timeout, Duration(std::chrono::milliseconds(500)));
  EXPECT_EQ(web.health.rise, 2u);
  EXPECT_EQ(web.health.fall, 3u);
  ASSERT_EQ(web.backends.size(), 2u);
  EXPECT_EQ(web.backends[1].name, "web2");
  EXPECT_EQ(web.backends[1].address.to_string(), "10.0.1.12");
  EXPECT_EQ(web.backends[1].state, AdminState::kDrain);
  EXPECT_EQ(config.pools[1].health.type, ProbeType::kNone);
  ASSERT_EQ(config.services.size(), 2u);
  EXPECT_EQ(config.services[0].protocol, Protocol::kTcp);
  EXPECT_EQ(config.services[1].protocol, Protocol::kUdp);
  EXPECT_EQ(config.services[1].forward, ForwardMode::kL2);
  EXPECT_EQ(config.services[1].port, 53);
}

TEST(ServiceConfigParse, AFileWithoutServicesServesNothing) {
  EXPECT_EQ(parsed("version: 1\n"), ServiceConfig{});
}

TEST(ServiceConfigParse, ServicesTakeTheFilesTimeoutsAndTheirOwn) {
  const ServiceConfig config = parsed(R"(version: 1
timeouts: {opening: 5s, established: 1h}
pools: {p: {backends: [{name: a, address: 10.0.0.1}]}}
services:
  - {name: s, address: 198.51.100.1, protocol: tcp, port: 80, pool: p, timeouts: {established: 2h, udp: 30s}}
  - {name: t, address: 198.51.100.2, protocol: tcp, port: 80, pool: p, flow: off}
  - {name: u, address: 198.51.100.3, protocol: tcp, port: 80, pool: p, on_failure: keep}
)");
  ASSERT_EQ(config.services.size(), 3u);
  EXPECT_EQ(config.services[0].timeouts.opening, Duration(std::chrono::seconds(5)));
  EXPECT_EQ(config.services[0].timeouts.established, Duration(std::chrono::hours(2)));
  EXPECT_EQ(config.services[0].timeouts.udp, Duration(std::chrono::seconds(30)));
  EXPECT_EQ(config.services[1].timeouts.established, Duration(std::chrono::hours(1)));
  EXPECT_FALSE(config.services[1].flow);
  EXPECT_EQ(config.services[2].on_failure, OnFailure::kKeep);
}

TEST(ServiceConfigParse, AShortIntervalShortensTheDefaultTimeout) {
  const ServiceConfig config =
      parsed("version: 1\npools: {p: {health: {type: tcp, port: 1, interval: 100ms}, backends: []}}");
  EXPECT_EQ(config.pools[0].health.timeout, Duration(std::chrono::milliseconds(100)));
}

TEST(ServiceConfigParse, ReadsAStatusRange) {
  const ServiceConfig config =
      parsed("version: 1\npools: {p: {health: {type: http, status: 200-204}, backends: []}}");
  EXPECT_EQ(config.pools[0].health.status, (std::vector<StatusRange>{{200, 204}}));
  EXPECT_EQ(config.pools[0].health.path, "/");
}

TEST(ServiceConfigParse, ReadsTheSeedsWholeRange) {
  EXPECT_EQ(parsed("version: 1\nseed: 18446744073709551615\n").seed, UINT64_MAX);
}

TEST(ServiceConfigParse, JsonIsYamlToo) {
  const ServiceConfig config = parsed(
      R"({"version": 1, "pools": {"p": {"backends": [{"name": "a", "address": "10.0.0.1", "weight": 3}]}}})");
  ASSERT_EQ(config.pools.size(), 1u);
  EXPECT_EQ(config.pools[0].backends[0].weight, 3u);
}

TEST(ServiceConfigParse, ReportsEveryProblemInOrder) {
  const auto config = parse_service_config(R"(version: 1
seed: x
pools:
  p:
    table_size: 10
    backends: [{name: a, address: 10.0.0.1, wieght: 3}]
services:
  - {name: s, address: 198.51.100.1, protocol: tcp, port: 0, pool: q}
)",
                                           "maglb.yaml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().to_string(),
            "maglb.yaml:2:7: seed: expected a number in 0..18446744073709551615, not 'x'\n"
            "maglb.yaml:5:17: pool p: table_size: expected a prime: 10 is not, the next one is 11\n"
            "maglb.yaml:6:45: pool p: backend a: unknown key 'wieght': did you mean 'weight'?\n"
            "maglb.yaml:8:59: service s: port: expected a port in 1..65535, a range like 8000-8999, or any, "
            "not '0'\n"
            "maglb.yaml:8:68: service s: pool: there is no pool 'q'");
}

TEST(ServiceConfigParse, AnUnreadableFileIsOneProblem) {
  const auto config = load_service_config("/nonexistent.yaml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().to_string(), "/nonexistent.yaml: cannot be read: No such file or directory");
}

// A document of little more than 1 MiB that asks for 5 GiB.
TEST(ServiceConfigParse, CopiesOfAProbeAreBounded) {
  std::string text = "version: 1\npools:\n  p:\n    health: {type: http, port: 80, path: /";
  text.append(1 << 20, 'x') += "}\n    backends:\n";
  for (int i = 0; i < 5000; ++i) {
    text += "      - {health: {}, name: b" + std::to_string(i) + ", address: 10.1." +
            std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + "}\n";
  }
  const auto config = parse_service_config(text, "m.yaml");
  ASSERT_FALSE(config);
  const std::string problems = config.error().to_string();
  const std::string_view why = "with this one the probes of backends hold";
  EXPECT_THAT(problems, testing::HasSubstr("m.yaml:21:18: pool p: backend b15: health: " + std::string(why)));
  EXPECT_EQ(problems.find(why), problems.rfind(why));
}

TEST(ServiceConfigParse, ManyBackendsAreReadInTime) {
  std::string text = "version: 1\npools:\n  p:\n    table_size: 1048573\n    backends:\n";
  for (int i = 0; i < 16384; ++i) {
    text += "      - {name: b" + std::to_string(i) + ", address: 10.1." + std::to_string(i / 256) + "." +
            std::to_string(i % 256) + "}\n";
  }
  EXPECT_EQ(parsed(text).pools.at(0).backends.size(), 16384u);
}

}  // namespace
}  // namespace maglb
