// Against this machine's kernel, in both families.
#include "dataplane/nexthop/next_hop_monitor.h"

#include <net/if.h>

#include <map>
#include <string>

#include "tests/unit/nexthop/two_namespaces.h"

namespace maglb {
namespace {

using test::ip;
using test::kNet4;
using test::kNet6;
using test::kPeer0;
using test::kPeer1;
using test::mac;

class NextHopMonitorTest : public test::TwoNamespaces {
 protected:
  NextHopMonitor make(const NextHopOptions& options = {}) {
    auto monitor = NextHopMonitor::create(
        [this](uint32_t index, const NextHopState& state) {
          seen_[index] = state;
          ++reports_[index];
          went_unresolved_ |= !state.resolved;
        },
        options);
    EXPECT_TRUE(monitor) << monitor.error().message;
    return std::move(*monitor);
  }

  testing::AssertionResult resolves(NextHopMonitor& monitor, uint32_t index, const MacAddress& to,
                                    const char* interface) {
    const int ifindex = static_cast<int>(if_nametoindex(interface));
    if (poll_until(monitor, [&] { return seen_[index] == NextHopState{true, to, ifindex, {}}; })) {
      return testing::AssertionSuccess();
    }
    return testing::AssertionFailure()
           << "resolved " << seen_[index].resolved << " " << seen_[index].mac.to_string() << " #"
           << seen_[index].ifindex << " " << seen_[index].reason;
  }

  testing::AssertionResult fails(NextHopMonitor& monitor, uint32_t index, const std::string& reason) {
    const auto reached = [&] {
      return !seen_[index].resolved && seen_[index].reason.find(reason) != std::string::npos;
    };
    if (poll_until(monitor, reached)) {
      return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << "resolved " << seen_[index].resolved << ": " << seen_[index].reason;
  }

  // Routes that nobody asked for.
  void add_more_routes(int count) {
    run(fmt::format("for i in $(seq 1 {}); do echo route add {}$i{} via {}; done | ip {} -batch -", count,
                    net().more_prefix, net().more_length, net().gateway, net().flag));
  }

  std::map<uint32_t, NextHopState> seen_;
  std::map<uint32_t, int> reports_;
  bool went_unresolved_ = false;
};

TEST_P(NextHopMonitorTest, ResolvesOnLinkAndThroughAGateway) {
  run_ip("route add {far_prefix} via {gateway}");
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip(net().near), NextHopKind::kDirect);
  const uint32_t far = *monitor.acquire(ip(net().far), NextHopKind::kRouted);
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
  EXPECT_EQ(monitor.state(far), seen_[far]);
  EXPECT_GE(monitor.counters().neighbour_requests, 1u);
}

TEST_P(NextHopMonitorTest, RefusesAGatewayForADirectNextHop) {
  run_ip("route add {far_prefix} via {gateway}");
  NextHopMonitor monitor = make();
  const uint32_t far = *monitor.acquire(ip(net().far), NextHopKind::kDirect);
  EXPECT_TRUE(fails(monitor, far, "not on-link: the route goes via " + net().gateway));
  run_ip("route replace {far_prefix} dev lb0");
  on_peer_ip("addr add {far}{far_length} dev peer0");
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
}

TEST_P(NextHopMonitorTest, FollowsRoutesAndRules) {
  run_ip("route add {far_prefix} via {gateway}");
  NextHopMonitor monitor = make();
  const uint32_t far = *monitor.acquire(ip(net().far), NextHopKind::kRouted);
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
  run_ip("route replace {far_prefix} via {other_gateway}");
  EXPECT_TRUE(resolves(monitor, far, kPeer1, "up0"));
  run_ip("route add {far_prefix} via {gateway} table 77");
  run_ip("rule add to {far_prefix} lookup 77");
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
}

TEST_P(NextHopMonitorTest, NamesRoutesThatLeadNowhere) {
  NextHopMonitor monitor = make();
  const uint32_t far = *monitor.acquire(ip(net().far), NextHopKind::kRouted);
  EXPECT_TRUE(fails(monitor, far, "no route"));
  run_ip("route add blackhole {far_prefix}");
  EXPECT_TRUE(fails(monitor, far, "blackhole"));
  run_ip("route replace unreachable {far_prefix}");
  EXPECT_TRUE(fails(monitor, far, "unreachable"));
  run_ip("route replace prohibit {far_prefix}");
  EXPECT_TRUE(fails(monitor, far, "prohibited"));
  run_ip("route replace {far_prefix} via {gateway}");
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
  const uint32_t own = *monitor.acquire(ip(net().own), NextHopKind::kRouted);
  EXPECT_TRUE(fails(monitor, own, "is an address of this machine"));
}

TEST_P(NextHopMonitorTest, FollowsANeighbourThatChangesItsMac) {
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip(net().near), NextHopKind::kDirect);
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  run_ip("neigh replace {near} lladdr 02:cc:00:00:00:01 dev lb0 nud reachable");
  EXPECT_TRUE(resolves(monitor, near, mac("02:cc:00:00:00:01"), "lb0"));
  run_ip("neigh replace {near} lladdr 02:cc:00:00:00:02 dev lb0 nud permanent");
  EXPECT_TRUE(resolves(monitor, near, mac("02:cc:00:00:00:02"), "lb0"));
}

TEST_P(NextHopMonitorTest, GivesUpANeighbourThatFailsAndFindsItAgain) {
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip(net().absent), NextHopKind::kDirect);
  EXPECT_TRUE(fails(monitor, near, fmt::format("neighbour {} on lb0 does not answer", net().absent)));
  on_peer_ip("addr add {absent}{length} dev peer0");
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  EXPECT_GE(monitor.counters().neighbour_requests, 2u);
}

TEST_P(NextHopMonitorTest, VerifiesAStaleNeighbour) {
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip(net().near), NextHopKind::kDirect);
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  run(fmt::format("echo 1 > /proc/sys/net/{}/neigh/lb0/delay_first_probe_time", net().sysctl));
  on_peer("ip link set peer0 address 02:bb:00:00:00:77");
  run_ip("neigh change {near} dev lb0 nud stale");
  EXPECT_TRUE(resolves(monitor, near, mac("02:bb:00:00:00:77"), "lb0"));
}

TEST_P(NextHopMonitorTest, KeepsTheMacOfADeletedNeighbour) {
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip(net().near), NextHopKind::kDirect);
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  went_unresolved_ = false;
  const uint64_t before = monitor.counters().neighbour_requests;
  run_ip("neigh del {near} dev lb0");
  EXPECT_TRUE(poll_until(monitor, [&] { return monitor.counters().neighbour_requests > before; }));
  const std::string find = fmt::format("ip neigh show {} dev lb0 | grep -q 02:bb:00:00:00:00", net().near);
  const auto is_back = [&] { return std::system(find.c_str()) == 0; };
  EXPECT_TRUE(poll_until(monitor, is_back));
  EXPECT_FALSE(went_unresolved_);
  EXPECT_TRUE(seen_[near].resolved);
}

TEST_P(NextHopMonitorTest, FollowsALinkDownAndUp) {
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip(net().near), NextHopKind::kDirect);
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  run("ip link set lb0 down");
  EXPECT_TRUE(fails(monitor, near, "no route"));
  run("ip link set lb0 up");
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  on_peer("ip link set peer0 down");
  EXPECT_TRUE(fails(monitor, near, "does not answer"));
  on_peer("ip link set peer0 up");
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
}

TEST_P(NextHopMonitorTest, AsksForEverythingAgainAfterLosingChanges) {
  run_ip("route add {far_prefix} via {gateway}");
  NextHopOptions options;
  options.event_buffer_bytes = 4096;
  NextHopMonitor monitor = make(options);
  const uint32_t far = *monitor.acquire(ip(net().far), NextHopKind::kRouted);
  const uint32_t near = *monitor.acquire(ip(net().near), NextHopKind::kDirect);
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  add_more_routes(200);
  run_ip("route replace {far_prefix} via {other_gateway}");
  run_ip("neigh replace {near} lladdr 02:cc:00:00:00:01 dev lb0 nud permanent");
  EXPECT_TRUE(resolves(monitor, far, kPeer1, "up0"));
  EXPECT_TRUE(resolves(monitor, near, mac("02:cc:00:00:00:01"), "lb0"));
  EXPECT_GE(monitor.counters().resyncs, 1u);
}

TEST_P(NextHopMonitorTest, SharesEqualNextHopsAndReusesFreedIndexes) {
  NextHopOptions options;
  options.capacity = 2;
  NextHopMonitor monitor = make(options);
  const uint32_t first = *monitor.acquire(ip(net().near), NextHopKind::kRouted);
  EXPECT_EQ(*monitor.acquire(ip(net().near), NextHopKind::kRouted), first);
  const uint32_t second = *monitor.acquire(ip(net().near), NextHopKind::kDirect);
  EXPECT_NE(second, first);
  EXPECT_EQ(monitor.acquire(ip(net().gateway), NextHopKind::kDirect).error().kind, ErrorKind::kConflict);
  EXPECT_TRUE(resolves(monitor, first, kPeer0, "lb0"));
  monitor.release(first);
  EXPECT_TRUE(monitor.state(first).resolved) << "one reference is left";
  monitor.release(first);
  seen_.clear();
  EXPECT_EQ(*monitor.acquire(ip(net().gateway), NextHopKind::kDirect), first);
  EXPECT_FALSE(monitor.state(first).resolved);
  EXPECT_TRUE(resolves(monitor, first, kPeer0, "lb0"));
}

TEST_P(NextHopMonitorTest, ReportsEachStateOnce) {
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip(net().near), NextHopKind::kDirect);
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  const int reports = reports_[near];
  EXPECT_LE(reports, 2);
  add_more_routes(3);
  const uint64_t queries = monitor.counters().route_queries;
  EXPECT_TRUE(poll_until(monitor, [&] { return monitor.counters().route_queries > queries; }));
  EXPECT_EQ(reports_[near], reports);
}

// The IPv4 route through an IPv6 gateway is that of RFC 8950.
TEST_P(NextHopMonitorTest, ResolvesThroughALinkLocalGateway) {
  run_ip("route add {far_prefix} via inet6 fe80::1 dev lb0");
  NextHopMonitor monitor = make();
  const uint32_t far = *monitor.acquire(ip(net().far), NextHopKind::kRouted);
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
  // The same address behind another interface is another neighbour.
  run_ip("route replace {far_prefix} via inet6 fe80::1 dev up0");
  EXPECT_TRUE(resolves(monitor, far, kPeer1, "up0"));
  run("ip neigh replace fe80::1 lladdr 02:cc:00:00:00:01 dev lb0 nud permanent");
  run("ip neigh replace fe80::1 lladdr 02:cc:00:00:00:02 dev up0 nud permanent");
  EXPECT_TRUE(resolves(monitor, far, mac("02:cc:00:00:00:02"), "up0"));
  run("ip neigh del fe80::1 dev up0");
  on_peer("ip addr del fe80::1/64 dev peer1");
  EXPECT_TRUE(fails(monitor, far, "neighbour fe80::1 on up0 does not answer"));
  const uint32_t direct = *monitor.acquire(ip(net().far), NextHopKind::kDirect);
  EXPECT_TRUE(fails(monitor, direct, "not on-link: the route goes via fe80::1"));
}

TEST_P(NextHopMonitorTest, TakesTheOtherPathWhenOneFails) {
  run("echo 1 > /proc/sys/net/ipv4/fib_multipath_use_neigh");  // IPv6 needs no telling
  run_ip("route add {far_prefix} nexthop via {gateway} dev lb0 nexthop via {other_gateway} dev up0");
  NextHopMonitor monitor = make();
  const uint32_t far = *monitor.acquire(ip(net().far), NextHopKind::kRouted);
  EXPECT_TRUE(poll_until(monitor, [&] { return seen_[far].resolved; }));
  const bool by_up0 = seen_[far].mac == kPeer1;
  on_peer_ip(by_up0 ? "addr del {other_gateway}{length} dev peer1" : "addr del {gateway}{length} dev peer0");
  run_ip(by_up0 ? "neigh change {other_gateway} dev up0 nud failed"
                : "neigh change {gateway} dev lb0 nud failed");
  EXPECT_TRUE(resolves(monitor, far, by_up0 ? kPeer0 : kPeer1, by_up0 ? "lb0" : "up0"));
}

TEST_P(NextHopMonitorTest, FollowsNextHopObjects) {
  run_ip("nexthop add id 7 via {gateway} dev lb0");
  run_ip("route add {far_prefix} nhid 7");
  NextHopMonitor monitor = make();
  const uint32_t far = *monitor.acquire(ip(net().far), NextHopKind::kRouted);
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
  run_ip("nexthop replace id 7 via {other_gateway} dev up0");
  EXPECT_TRUE(resolves(monitor, far, kPeer1, "up0"));
}

TEST_P(NextHopMonitorTest, FollowsAddressesThatAreFlushedAndComeBack) {
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip(net().near), NextHopKind::kDirect);
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  run_ip("addr flush dev lb0 scope global");
  EXPECT_TRUE(fails(monitor, near, "no route"));
  add_address(net(), "lb0", net().own);
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
}

INSTANTIATE_TEST_SUITE_P(Families, NextHopMonitorTest, testing::Values(kNet4, kNet6), test::family_name);

}  // namespace
}  // namespace maglb
