// Answers of the kernel that make no sense: decoding must survive any bytes.
#include "dataplane/nexthop/netlink.h"

#include <gtest/gtest.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>
#include <random>
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

Bytes neighbour(uint16_t type) {
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = 3;
  header.ndm_state = NUD_REACHABLE;
  Bytes bytes = message(type, header);
  put(bytes, NDA_DST, {10, 0, 0, 1});
  put(bytes, NDA_LLADDR, {2, 0, 0, 0, 0, 7});
  return bytes;
}

Bytes route(uint8_t type) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_type = type;
  return message(RTM_NEWROUTE, header);
}

std::vector<NetlinkEvent> decode(Bytes bytes) {
  std::vector<NetlinkEvent> events;
  decode_events(bytes, [&](const NetlinkEvent& event) { events.push_back(event); });
  return events;
}

TEST(NetlinkDecode, ReadsANeighbour) {
  const auto events = decode(neighbour(RTM_DELNEIGH));
  ASSERT_EQ(events.size(), 1u);
  const auto& changed = std::get<NeighbourChanged>(events[0]);
  EXPECT_TRUE(changed.deleted);
  EXPECT_EQ(changed.entry.ifindex, 3);
  EXPECT_EQ(changed.entry.address.to_string(), "10.0.0.1");
  EXPECT_EQ(changed.entry.state, NUD_REACHABLE);
  EXPECT_EQ(changed.entry.mac->to_string(), "02:00:00:00:00:07");
}

TEST(NetlinkDecode, IgnoresBridgeEntriesAndAMacOfAnotherSize) {
  Bytes bridge = neighbour(RTM_NEWNEIGH);
  bridge[sizeof(nlmsghdr)] = AF_BRIDGE;
  EXPECT_TRUE(decode(bridge).empty());
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = 3;
  Bytes infiniband = message(RTM_NEWNEIGH, header);
  put(infiniband, NDA_DST, {10, 0, 0, 1});
  put(infiniband, NDA_LLADDR, Bytes(20, 1));
  EXPECT_FALSE(std::get<NeighbourChanged>(decode(infiniband).at(0)).entry.mac);
}

TEST(NetlinkDecode, CallsRoutesRulesAndLinksAChangeOfRouting) {
  for (const uint16_t type : {RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWRULE, RTM_NEWLINK, RTM_NEWADDR}) {
    EXPECT_TRUE(std::holds_alternative<RoutingChanged>(decode(message(type, rtmsg{})).at(0)));
  }
}

TEST(NetlinkDecode, ReadsGatewaysOfBothForms) {
  Bytes plain = route(RTN_UNICAST);
  put(plain, RTA_OIF, {4, 0, 0, 0});
  EXPECT_FALSE(decode_route(plain)->gateway);
  put(plain, RTA_GATEWAY, {10, 0, 0, 254});
  EXPECT_EQ(decode_route(plain)->gateway->to_string(), "10.0.0.254");
  Bytes via = route(RTN_UNICAST);
  put(via, RTA_OIF, {4, 0, 0, 0});
  Bytes value = {AF_INET6, 0, 0xfe, 0x80};
  value.resize(18);
  value[17] = 9;
  put(via, RTA_VIA, value);
  EXPECT_EQ(decode_route(via)->gateway->to_string(), "fe80::9");
}

TEST(NetlinkDecode, RefusesRoutesThatLeadNowhere) {
  for (const uint8_t type : {RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST, RTN_BLACKHOLE}) {
    Bytes bytes = route(type);
    const auto answer = decode_route(bytes);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->ifindex, 0);
    EXPECT_FALSE(answer->problem.empty());
  }
  Bytes short_oif = route(RTN_UNICAST);
  put(short_oif, RTA_OIF, {4});
  EXPECT_EQ(decode_route(short_oif)->problem, "route names no interface");
  Bytes odd_gateway = route(RTN_UNICAST);
  put(odd_gateway, RTA_OIF, {4, 0, 0, 0});
  put(odd_gateway, RTA_GATEWAY, {1, 2, 3});
  EXPECT_EQ(decode_route(odd_gateway)->problem, "route has a gateway that is no address");
}

TEST(NetlinkDecode, SurvivesEveryTruncationAndRandomDamage) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  Bytes whole_route = route(RTN_UNICAST);
  put(whole_route, RTA_OIF, {4, 0, 0, 0});
  put(whole_route, RTA_GATEWAY, {10, 0, 0, 254});
  put(whole_route, RTA_VIA, {10, 0, 1, 2, 3, 4});
  for (const Bytes& whole : {neighbour(RTM_NEWNEIGH), whole_route}) {
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

}  // namespace
}  // namespace maglb
