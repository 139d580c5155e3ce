#include "lib/config/service/diff.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lib/config/service/parse.h"

namespace maglb {
namespace {

constexpr const char* kBefore = R"(version: 1
seed: 7
pools:
  web:
    health: {type: http, path: /up}
    backends:
      - {name: web1, address: 10.0.0.1}
      - {name: web2, address: 10.0.0.2, server_ids: ["0a", "0b"]}
      - {name: web3, address: 10.0.0.3, health: {rise: 5}}
  a.b: {health: {type: none}, backends: [{name: x, address: 10.0.1.1}]}
  old: {backends: [{name: y, address: 10.0.2.1}]}
services:
  - {name: web, address: 198.51.100.1, protocol: tcp, port: 80, pool: web, source_allow: [10.0.0.0/8, 192.0.2.0/24]}
  - {name: any, address: 198.51.100.2, protocol: tcp, port: 80, pool: a.b}
)";

// Other things, in another order.
constexpr const char* kAfter = R"(version: 1
seed: 7
network_failure: act
pools:
  new: {scheduler: random, backends: [{name: z, address: 10.0.3.1}]}
  a.b: {health: {type: none}, backends: [{name: x, address: 10.0.1.1, weight: 5}]}
  web:
    fallback: a.b
    health: {type: http, path: /up, interval: 2s}
    backends:
      - {name: web4, address: 10.0.0.4, weight: 50}
      - {name: web3, address: 10.0.0.3, health: {rise: 5}}
      - {name: web2, address: 10.0.0.2, server_ids: ["0b", "0c"], state: drain}
services:
  - {name: web, address: 198.51.100.1, protocol: tcp, port: 80, pool: web, source_allow: [192.0.2.0/24], forward: l2}
)";

ServiceConfig parsed(const char* text) {
  auto config = parse_service_config(text, "t");
  EXPECT_TRUE(config) << config.error().to_string();
  return config.value_or(ServiceConfig{});
}

std::vector<std::string> lines(const ServiceConfig& before, const ServiceConfig& after) {
  std::vector<std::string> lines;
  for (const ConfigChange& change : diff(before, after)) {
    lines.push_back(describe(change));
  }
  return lines;
}

TEST(Diff, NamesWhatIsOtherwiseWithItsPath) {
  const std::vector<std::string> expected = {
      "~ network_failure: hold -> act",
      "~ pools.\"a.b\".backends.x.weight: 100 -> 5",
      "+ pools.new: {backends: 1, scheduler: random}",
      "- pools.old: {backends: 1}",
      "- pools.web.backends.web1: {address: 10.0.0.1, weight: 100}",
      "- pools.web.backends.web2.server_ids.0a: 0a",
      "+ pools.web.backends.web2.server_ids.0c: 0c",
      "~ pools.web.backends.web2.state: up -> drain",
      "+ pools.web.backends.web4: {address: 10.0.0.4, weight: 50}",
      "+ pools.web.fallback: a.b",
      "~ pools.web.health.interval: 1s -> 2s",
      "- services.any: {address: 198.51.100.2, forward: ipip, pool: a.b, port: 80, protocol: tcp}",
      "~ services.web.forward: ipip -> l2",
      "- services.web.source_allow.\"10.0.0.0/8\": 10.0.0.0/8",
  };
  EXPECT_EQ(lines(parsed(kBefore), parsed(kAfter)), expected);
}

TEST(Diff, BackwardsSaysTheOpposite) {
  std::vector<ConfigChange> there = diff(parsed(kBefore), parsed(kAfter));
  for (ConfigChange& change : there) {
    std::swap(change.before, change.after);
  }
  EXPECT_EQ(diff(parsed(kAfter), parsed(kBefore)), there);
}

TEST(Diff, OrderMakesNoDifference) {
  const ServiceConfig before = parsed(kBefore);
  ServiceConfig turned = before;
  std::reverse(turned.pools.begin(), turned.pools.end());
  std::reverse(turned.services.begin(), turned.services.end());
  for (PoolConfig& pool : turned.pools) {
    std::reverse(pool.backends.begin(), pool.backends.end());
  }
  ASSERT_NE(turned, before);
  EXPECT_TRUE(diff(before, turned).empty());
  EXPECT_EQ(diff(before, parsed(kAfter)), diff(turned, parsed(kAfter)));
}

TEST(Diff, SaysWhatAProbeOfAnotherTypeHas) {
  const ServiceConfig before = parsed("version: 1\npools: {p: {health: {type: icmp}, backends: []}}\n");
  const ServiceConfig after =
      parsed("version: 1\npools: {p: {health: {type: udp, port: 9, send: \"hi\"}, backends: []}}\n");
  const std::vector<std::string> expected = {
      "+ pools.p.health.expect: \"\"",      "+ pools.p.health.port: 9",     "+ pools.p.health.send: \"hi\"",
      "~ pools.p.health.type: icmp -> udp", "+ pools.p.health.via: direct",
  };
  EXPECT_EQ(lines(before, after), expected);
}

TEST(Diff, AddsAllToNothing) {
  EXPECT_EQ(diff({}, {}), std::vector<ConfigChange>{});
  const auto all = diff({}, parsed(kBefore));
  ASSERT_EQ(all.size(), 6u);
  EXPECT_FALSE(all[0].before);
}

TEST(Diff, CutsALongValueShort) {
  const ConfigChange change{"a", std::string(5000, 'x'), "\xc3\xa9"};
  EXPECT_EQ(describe(change), "~ a: " + std::string(160, 'x') + "... -> \xc3\xa9");
}

TEST(OptionsSaid, AreThoseThatAreNotAsWithoutBeingSaid) {
  const ServiceConfig config = parsed(R"(version: 1
pools:
  web:
    health: {type: tcp, port: 80, via: tunnel}
    min_healthy: 2
    source: {type: dns, name: web.example}
services:
  - name: web
    address: 198.51.100.1
    protocol: tcp
    port: 80
    pool: web
    mss: 1400
    source_deny: [203.0.113.0/24, 192.0.2.0/24]
    timeouts: {established: 1h}
)");
  using Options = std::map<std::string, std::string>;
  EXPECT_EQ(options_said(config.pools[0]), (Options{{"health.port", "80"},
                                                    {"health.via", "tunnel"},
                                                    {"min_healthy", "2"},
                                                    {"source", "{type: dns, name: web.example}"}}));
  EXPECT_EQ(options_said(config.services[0]), (Options{{"address", "198.51.100.1"},
                                                       {"mss", "1400"},
                                                       {"pool", "web"},
                                                       {"port", "80"},
                                                       {"source_deny", "192.0.2.0/24, 203.0.113.0/24"},
                                                       {"timeouts.established", "1h"}}));
}

}  // namespace
}  // namespace maglb
