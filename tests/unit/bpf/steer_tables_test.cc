#include "lib/bpf/steer_tables.h"

#include <gtest/gtest.h>

#include <array>

#include "lib/bpf/steer_maps.h"

namespace maglb {
namespace {

constexpr uint8_t kTcp = MAGLB_STEER_TCP;
constexpr uint8_t kUdp = MAGLB_STEER_UDP;
constexpr uint8_t kBoth = kTcp | kUdp;

IpPrefix prefix(const char* text) {
  return *IpPrefix::parse(text);
}

SteerRule rule(const char* to, Protocol protocol, uint16_t first, uint16_t last) {
  return {prefix(to), protocol, first, last};
}

std::vector<SteerRange> ranges(const std::set<SteerRule>& rules, const char* at) {
  return compile({.packets = rules})->prefixes.at(prefix(at)).ranges;
}

TEST(SteerTables, OneAddressAndPortIsAnEntryByItself) {
  const auto tables = compile(
      {.packets = {rule("10.0.0.1", Protocol::kTcp, 80, 80), rule("2001:db8::1", Protocol::kAny, 53, 53)}});
  ASSERT_TRUE(tables);
  EXPECT_TRUE(tables->prefixes.empty());
  const IpAddress six = *IpAddress::parse("2001:db8::1");
  EXPECT_EQ(tables->services, (std::set<SteerPort>{{*IpAddress::parse("10.0.0.1"), Protocol::kTcp, 80},
                                                   {six, Protocol::kTcp, 53},
                                                   {six, Protocol::kUdp, 53}}));
}

TEST(SteerTables, RangesAscendAndDoNotOverlap) {
  EXPECT_EQ(ranges({rule("10.0.0.0/8", Protocol::kTcp, 80, 90), rule("10.0.0.0/8", Protocol::kTcp, 91, 95),
                    rule("10.0.0.0/8", Protocol::kUdp, 85, 200), rule("10.0.0.0/8", Protocol::kTcp, 0, 0),
                    rule("10.0.0.0/8", Protocol::kAny, 65535, 65535)},
                   "10.0.0.0/8"),
            (std::vector<SteerRange>{
                {0, 0, kTcp}, {80, 84, kTcp}, {85, 95, kBoth}, {96, 200, kUdp}, {65535, 65535, kBoth}}));
  EXPECT_EQ(ranges({rule("10.0.0.0/8", Protocol::kAny, 0, 65535), rule("10.0.0.0/8", Protocol::kTcp, 1, 9)},
                   "10.0.0.0/8"),
            (std::vector<SteerRange>{{0, 65535, kBoth}}));
}

TEST(SteerTables, APrefixHasWhatThoseAroundItHave) {
  const std::set<SteerRule> rules = {
      rule("::/0", Protocol::kTcp, 1, 1),          rule("0.0.0.0/0", Protocol::kAny, 0, 65535),
      rule("10.0.0.0/8", Protocol::kTcp, 2, 2),    rule("2001:db8::/32", Protocol::kTcp, 3, 3),
      rule("2001:db8::/64", Protocol::kTcp, 4, 4), rule("2001:db9::/64", Protocol::kTcp, 6, 6)};
  EXPECT_EQ(ranges(rules, "10.0.0.0/8"), (std::vector<SteerRange>{{0, 65535, kBoth}}));
  EXPECT_EQ(ranges(rules, "2001:db8::/64"), (std::vector<SteerRange>{{1, 1, kTcp}, {3, 4, kTcp}}));
  EXPECT_EQ(ranges(rules, "2001:db9::/64"), (std::vector<SteerRange>{{1, 1, kTcp}, {6, 6, kTcp}}));
  const auto tables = compile({.packets = rules});
  EXPECT_TRUE(tables->prefixes.at(prefix("10.0.0.0/8")).others);
  EXPECT_FALSE(tables->prefixes.at(prefix("2001:db8::/64")).others);
  const auto addresses =
      compile({.fragments = {prefix("10.0.0.0/8")}, .echoes = {prefix("10.0.0.1")}})->addresses;
  EXPECT_EQ(addresses.at(prefix("10.0.0.1")), MAGLB_STEER_FRAGMENTS | MAGLB_STEER_ECHOES);
  EXPECT_EQ(addresses.at(prefix("10.0.0.0/8")), MAGLB_STEER_FRAGMENTS);
}

TEST(SteerTables, RefusesMoreRangesThanFitButNeverWidensOne) {
  SteerWanted wanted;
  for (uint16_t i = 0; i < MAGLB_STEER_MAX_RANGES; ++i) {
    const auto port = static_cast<uint16_t>(2 * i);
    wanted.packets.insert(rule("10.0.0.0/24", Protocol::kTcp, port, port));
  }
  ASSERT_TRUE(compile(wanted));
  SteerWanted around = wanted;
  around.packets.insert(rule("10.0.0.0/8", Protocol::kTcp, 1000, 1001));
  const auto refused = compile(around);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(refused.error().message.find("10.0.0.0/24: 129 port ranges"), std::string::npos)
      << refused.error().message;
  around.packets.insert(rule("10.0.0.0/24", Protocol::kTcp, 3, 3));
  EXPECT_TRUE(compile(around)) << "2 to 4 are one range";
}

TEST(SteerTables, RefusesMoreEntriesThanFit) {
  SteerWanted wanted;
  for (uint16_t outer = 1; wanted.vlans.size() < MAGLB_STEER_MAX_VLANS; ++outer) {
    for (uint16_t inner = 0; inner < 4095; ++inner) {
      wanted.vlans.emplace(outer, inner);
    }
  }
  EXPECT_FALSE(compile(wanted));
  wanted.vlans.clear();
  for (uint32_t i = 0; i <= MAGLB_STEER_MAX_SERVICES; ++i) {
    const std::array<uint8_t, 4> address = {10, static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8),
                                            static_cast<uint8_t>(i)};
    wanted.packets.insert({IpPrefix(IpAddress::v4(address)), Protocol::kTcp, 80, 80});
  }
  EXPECT_EQ(compile(wanted).error().message, "steering 131073 ports of addresses: 131072 fit");
  wanted.packets.erase(wanted.packets.begin());
  EXPECT_TRUE(compile(wanted));
}

TEST(SteerTables, RefusesWhatCanNotBe) {
  IpPrefix loose = prefix("10.0.0.0/24");
  loose.address.bytes[15] = 1;
  EXPECT_FALSE(compile({.packets = {{loose, Protocol::kTcp, 1, 1}}}));
  EXPECT_FALSE(compile({.fragments = {loose}}));
  EXPECT_FALSE(compile({.packets = {rule("10.0.0.0/24", Protocol::kTcp, 2, 1)}}));
  EXPECT_FALSE(compile({.packets = {rule("10.0.0.0/24", static_cast<Protocol>(47), 1, 1)}}));
  EXPECT_FALSE(compile({.vlans = {{4095, 0}}}));
  EXPECT_FALSE(compile({.vlans = {{0, 7}}}));
  EXPECT_TRUE(compile({.vlans = {{0, 0}, {4094, 4094}}}));
}

}  // namespace
}  // namespace maglb
