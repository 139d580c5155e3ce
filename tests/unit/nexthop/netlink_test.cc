// Answers of the kernel that make no sense: decoding must survive any bytes.
#include "dataplane/nexthop/netlink.h"

#include <gtest/gtest.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace maglb {
namespace {

using Bytes = std::vector<uint8_t>;

template <typename Header>
Bytes message(uint16_t type, const Header& header) {
  Bytes bytes(sizeof(nlmsghdr) + sizeof header);
  std::memcpy(bytes.data() + sizeof(nlmsghdr), &header, sizeof header);
  auto* start = reinterpret_cast<nlmsghdr*>(bytes.data());
  start->nlmsg_type = type;
  start->nlmsg_len = static_cast<uint32_t>(bytes.size());
  return bytes;
}

void put(Bytes& bytes, uint16_t attribute, const Bytes& value) {
  const nlattr header{static_cast<uint16_t>(sizeof(nlattr) + value.size()), attribute};
  const auto* raw = reinterpret_cast<const uint8_t*>(&header);
  bytes.insert(bytes.end(), raw, raw + sizeof header);
  bytes.insert(bytes.end(), value.begin(), value.end());
  bytes.resize((bytes.size() + 3) & ~size_t{3});
  reinterpret_cast<nlmsghdr*>(bytes.data())->nlmsg_len = static_cast<uint32_t>(bytes.size());
}

struct NetFamily {
  const char* name;
  uint8_t family;
  Bytes wire;
  const char* text;
};
const NetFamily kNet4{"IPv4", AF_INET, {10, 0, 0, 1}, "10.0.0.1"};
const NetFamily kNet6{
    "IPv6", AF_INET6, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, "2001:db8::1"};
const Bytes kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};

class NetlinkDecode : public testing::TestWithParam<NetFamily> {};

Bytes neighbour(uint16_t type, const NetFamily& net, uint8_t flags = 0) {
  ndmsg header{};
  header.ndm_family = net.family;
  header.ndm_ifindex = 3;
  header.ndm_state = NUD_REACHABLE;
  header.ndm_flags = flags;
  Bytes bytes = message(type, header);
  put(bytes, NDA_DST, net.wire);
  put(bytes, NDA_LLADDR, {2, 0, 0, 0, 0, 7});
  return bytes;
}

Bytes route(uint8_t type, const NetFamily& net) {
  rtmsg header{};
  header.rtm_family = net.family;
  header.rtm_type = type;
  return message(RTM_NEWROUTE, header);
}

Bytes route_through_4(const NetFamily& net) {
  Bytes bytes = route(RTN_UNICAST, net);
  put(bytes, RTA_OIF, {4, 0, 0, 0});
  return bytes;
}

Bytes via(const NetFamily& net) {
  Bytes value = {net.family, 0};
  value.insert(value.end(), net.wire.begin(), net.wire.end());
  return value;
}

std::vector<NetlinkEvent> decode(Bytes bytes) {
  std::vector<NetlinkEvent> events;
  decode_events(bytes, [&](const NetlinkEvent& event) { events.push_back(event); });
  return events;
}

TEST_P(NetlinkDecode, ReadsANeighbour) {
  const auto events = decode(neighbour(RTM_DELNEIGH, GetParam()));
  ASSERT_EQ(events.size(), 1u);
  const auto& changed = std::get<NeighbourChanged>(events[0]);
  EXPECT_TRUE(changed.deleted);
  EXPECT_EQ(changed.entry.ifindex, 3);
  EXPECT_EQ(changed.entry.address.to_string(), GetParam().text);
  EXPECT_EQ(changed.entry.state, NUD_REACHABLE);
  EXPECT_EQ(changed.entry.mac->to_string(), "02:00:00:00:00:07");
}

TEST_P(NetlinkDecode, IgnoresBridgeAndProxyEntriesAndAMacOfAnotherSize) {
  NetFamily bridge = GetParam();
  bridge.family = AF_BRIDGE;
  EXPECT_TRUE(decode(neighbour(RTM_NEWNEIGH, bridge)).empty());
  EXPECT_TRUE(decode(neighbour(RTM_NEWNEIGH, GetParam(), NTF_PROXY)).empty());
  ndmsg header{};
  header.ndm_family = GetParam().family;
  header.ndm_ifindex = 3;
  Bytes infiniband = message(RTM_NEWNEIGH, header);
  put(infiniband, NDA_DST, GetParam().wire);
  put(infiniband, NDA_LLADDR, Bytes(20, 1));
  EXPECT_FALSE(std::get<NeighbourChanged>(decode(infiniband).at(0)).entry.mac);
}

// Otherwise ::ffff:10.0.0.1 of NDP would pass for 10.0.0.1 of ARP.
TEST_P(NetlinkDecode, TakesNoAddressForOneOfTheOtherFamily) {
  NetFamily odd = GetParam();
  for (const Bytes& wire : {kMapped, GetParam().family == AF_INET ? kNet6.wire : kNet4.wire, Bytes(5, 1)}) {
    odd.wire = wire;
    EXPECT_TRUE(std::holds_alternative<Malformed>(decode(neighbour(RTM_NEWNEIGH, odd)).at(0)));
    Bytes bytes = route_through_4(odd);
    put(bytes, RTA_GATEWAY, wire);
    EXPECT_EQ(decode_route(bytes)->problem, "route has a gateway that is no address");
    bytes = route_through_4(odd);
    put(bytes, RTA_VIA, via(odd));
    EXPECT_EQ(decode_route(bytes)->problem, "route has a gateway that is no address");
  }
}

TEST_P(NetlinkDecode, CallsRoutesRulesAndLinksAChangeOfRouting) {
  for (const uint16_t type : {RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWRULE, RTM_NEWLINK, RTM_NEWADDR}) {
    EXPECT_TRUE(std::holds_alternative<RoutingChanged>(decode(message(type, rtmsg{})).at(0)));
  }
}

TEST_P(NetlinkDecode, ReadsGatewaysOfBothForms) {
  Bytes plain = route_through_4(GetParam());
  EXPECT_FALSE(decode_route(plain)->gateway);
  put(plain, RTA_GATEWAY, GetParam().wire);
  EXPECT_EQ(decode_route(plain)->gateway->to_string(), GetParam().text);
  for (const NetFamily& gateway : {kNet4, kNet6}) {
    Bytes bytes = route_through_4(GetParam());
    put(bytes, RTA_VIA, via(gateway));
    EXPECT_EQ(decode_route(bytes)->gateway->to_string(), gateway.text);
  }
}

TEST_P(NetlinkDecode, RefusesRoutesThatLeadNowhere) {
  for (const uint8_t type : {RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST, RTN_BLACKHOLE}) {
    Bytes bytes = route(type, GetParam());
    const auto answer = decode_route(bytes);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->ifindex, 0);
    EXPECT_FALSE(answer->problem.empty());
  }
  Bytes short_oif = route(RTN_UNICAST, GetParam());
  put(short_oif, RTA_OIF, {4});
  EXPECT_EQ(decode_route(short_oif)->problem, "route names no interface");
  Bytes odd_gateway = route(RTN_UNICAST, GetParam());
  put(odd_gateway, RTA_OIF, {4, 0, 0, 0});
  put(odd_gateway, RTA_GATEWAY, {1, 2, 3});
  EXPECT_EQ(decode_route(odd_gateway)->problem, "route has a gateway that is no address");
}

TEST_P(NetlinkDecode, SurvivesEveryTruncationAndRandomDamage) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  Bytes whole_route = route(RTN_UNICAST, GetParam());
  put(whole_route, RTA_OIF, {4, 0, 0, 0});
  put(whole_route, RTA_GATEWAY, GetParam().wire);
  put(whole_route, RTA_VIA, via(GetParam()));
  for (const Bytes& whole : {neighbour(RTM_NEWNEIGH, GetParam()), whole_route}) {
    for (size_t length = 0; length <= whole.size(); ++length) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      decode(cut);
      (void)decode_route(cut);
    }
    for (int i = 0; i < 20000; ++i) {
      Bytes damaged = whole;
      for (int j = 0; j < 3; ++j) {
        damaged[random() % damaged.size()] = static_cast<uint8_t>(random());
      }
      decode(damaged);
      (void)decode_route(damaged);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, NetlinkDecode, testing::Values(kNet4, kNet6),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace maglb
