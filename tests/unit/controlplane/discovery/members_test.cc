// The document and what was found, joined: overrides, bounds, and who is left out.
#include "controlplane/desired/members.h"

#include <gtest/gtest.h>

#include <random>

#include "lib/config/service/validate.h"

namespace maglb::test {
namespace {

IpAddress ip(const std::string& text) {
  return *IpAddress::parse(text);
}

BackendConfig member(const std::string& name, const std::string& address, uint32_t weight = 100) {
  return {name, ip(address), weight};
}

ServiceConfig document() {
  ServiceConfig config;
  PoolConfig& web = config.pools.emplace_back();
  web.name = "web";
  web.table_size = 11;
  web.source.type = SourceType::kFile;
  web.source.path = "/etc/web.json";
  config.pools.emplace_back().name = "static";
  ServiceEntry& service = config.services.emplace_back();
  service.name = "www";
  service.address = IpPrefix(ip("192.0.2.1"));
  service.port = PortRange(80);
  service.pool = "web";
  return config;
}

std::vector<std::string> names(const PoolConfig& pool) {
  std::vector<std::string> names;
  for (const BackendConfig& backend : pool.backends) {
    names.push_back(backend.name);
  }
  return names;
}

using Names = std::vector<std::string>;

TEST(WithMembers, AddsToPoolsWithASource) {
  ServiceConfig config = document();
  config.pools[0].backends = {member("z", "10.0.0.9")};
  const auto joined = with_members(config, {{"web", {member("b", "10.0.0.2"), member("a", "10.0.0.1")}},
                                            {"static", {member("c", "10.0.0.3")}},
                                            {"unknown", {member("d", "10.0.0.4")}}});
  EXPECT_EQ(names(joined.pools[0]), (Names{"z", "a", "b"}));
  EXPECT_TRUE(joined.pools[1].backends.empty());
  EXPECT_EQ(with_members(config, {}), config);
}

TEST(WithMembers, AnEntryOfTheDocumentStandsForTheMemberOfItsAddressOrName) {
  ServiceConfig config = document();
  config.pools[0].backends = {member("mine", "10.0.0.1", 5), member("b", "10.0.0.2", 6)};
  config.pools[0].backends[1].state = AdminState::kDrain;
  std::vector<LeftOut> left_out;
  const auto joined =
      with_members(config, {{"web", {member("a", "10.0.0.1", 50), member("b", "10.0.0.22", 50)}}}, &left_out);
  const auto& backends = joined.pools[0].backends;
  ASSERT_EQ(backends.size(), 2u);
  EXPECT_EQ(backends[0], config.pools[0].backends[0]);
  EXPECT_EQ(backends[1].address, ip("10.0.0.22"));
  EXPECT_EQ(backends[1].weight, 6u);
  EXPECT_EQ(backends[1].state, AdminState::kDrain);
  EXPECT_TRUE(left_out.empty());
}

TEST(WithMembers, AnEntryStandsForOneMemberOnly) {
  ServiceConfig config = document();
  config.pools[0].backends = {member("a", "10.0.0.1")};
  std::vector<LeftOut> left_out;
  const auto joined =
      with_members(config, {{"web", {member("a", "10.0.0.2"), member("b", "10.0.0.1")}}}, &left_out);
  EXPECT_EQ(joined, config);
  ASSERT_EQ(left_out.size(), 1u);
  EXPECT_EQ(left_out[0].backend, "a");
  EXPECT_EQ(left_out[0].why, "another has its name");
}

TEST(WithMembers, LeavesOutWhatNoDocumentCouldHave) {
  const std::pair<const char*, const char*> kBad[] = {
      {"127.0.0.1", "loopback"},        {"224.0.0.1", "multicast"}, {"0.0.0.0", "unspecified"},
      {"255.255.255.255", "broadcast"}, {"fe80::1", "link-local"},  {"192.0.2.1", "an address of a service"}};
  for (const auto& [address, why] : kBad) {
    std::vector<LeftOut> left_out;
    EXPECT_EQ(with_members(document(), {{"web", {member("a", address)}}}, &left_out), document());
    ASSERT_EQ(left_out.size(), 1u) << address;
    EXPECT_NE(left_out[0].why.find(why), std::string::npos) << left_out[0].why;
  }
}

TEST(WithMembers, FillsATableToItsLastSlotButOne) {
  std::vector<BackendConfig> members;
  for (int i = 10; i < 30; ++i) {
    members.push_back(member("m" + std::to_string(i), "10.0.0." + std::to_string(i)));
  }
  std::vector<LeftOut> left_out;
  const auto joined = with_members(document(), {{"web", members}}, &left_out);
  EXPECT_EQ(joined.pools[0].backends.size(), 10u);  // of 11 slots
  EXPECT_EQ(left_out.size(), 10u);
  EXPECT_EQ(left_out[0].backend, "m20");
}

TEST(WithMembers, KeepsAFallbackApart) {
  ServiceConfig config = document();
  config.pools[0].fallback = "spare";
  PoolConfig& spare = config.pools.emplace_back(config.pools[0]);
  spare.name = "spare";
  spare.fallback = "";
  spare.backends = {member("s", "10.0.0.1")};
  std::vector<LeftOut> left_out;
  const FoundMembers found = {{"web", {member("a", "10.0.0.1"), member("b", "10.0.0.2")}},
                              {"spare", {member("b", "10.0.0.2"), member("c", "10.0.0.3")}}};
  const auto joined = with_members(config, found, &left_out);
  EXPECT_EQ(names(joined.pools[0]), (Names{"b"}));
  EXPECT_EQ(names(joined.pools[2]), (Names{"s", "c"}));
  EXPECT_EQ(left_out.size(), 2u);
}

// Whatever is found, the result is a configuration that could have been read.
TEST(WithMembers, KeepsThePromisesOfADocument) {
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  const auto pick = [&](size_t n) { return random() % n; };
  const auto any = [&] {
    static const char* const kOdd[] = {"127.0.0.1", "192.0.2.1", "2001:db8::1", "2001:db8::2", "fe80::1"};
    return pick(6) == 0 ? kOdd[pick(5)] : "10.0.0." + std::to_string(1 + pick(12));
  };
  for (int round = 0; round < 500; ++round) {
    ServiceConfig config = document();
    PoolConfig& spare = config.pools.emplace_back(config.pools[0]);
    spare.name = "spare";
    config.pools[0].fallback = pick(2) == 0 ? "spare" : "";
    config.services[0].forward = pick(3) == 0 ? ForwardMode::kNat : ForwardMode::kIpip;
    config.pools[0].backends = {member("a", "10.0.0.1"), member("b", "10.0.0.2")};
    spare.backends = {member("a", "10.0.0.3")};
    ASSERT_TRUE(validate(config)) << validate(config).error().message;
    FoundMembers found;
    for (const char* pool : {"web", "spare", "static"}) {
      for (size_t i = pick(16); i > 0; --i) {
        static const char* const kNames[] = {"a", "b", "c", "d", "e", "f", "", "no name"};
        found[pool].push_back(member(kNames[pick(8)], any(), static_cast<uint32_t>(pick(10010))));
      }
    }
    const auto joined = with_members(config, found);
    const auto valid = validate(joined);
    EXPECT_TRUE(valid) << "seed " << seed << ": " << valid.error().message;
  }
}

TEST(DescribeChange, CountsAndNames) {
  EXPECT_EQ(describe_change({member("a", "10.0.0.1"), member("b", "10.0.0.2")},
                            {member("b", "10.0.0.2", 5), member("c", "10.0.0.3")}),
            "1 new (c), 1 gone (a), 1 changed (b): 2 in all");
}

}  // namespace
}  // namespace maglb::test
