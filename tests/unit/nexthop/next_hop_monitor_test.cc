// Against this machine's kernel, in two namespaces of the test's own:
//
//   (the test's, unnamed)                 (peer)
//   lb0 10.7.0.2/24  ------ veth ------  peer0 10.7.0.1/24, 10.7.0.11/24
//   up0 10.6.0.2/24  ------ veth ------  peer1 10.6.0.1/24
#include "dataplane/nexthop/next_hop_monitor.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <string>
#include <thread>

namespace maglb {
namespace {

constexpr Duration kDeadline = std::chrono::seconds(30);

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

MacAddress mac(const char* text) {
  return *MacAddress::parse(text);
}

const MacAddress kPeer0 = mac("02:bb:00:00:00:00");
const MacAddress kPeer1 = mac("02:bb:00:00:00:01");

class NextHopMonitorTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) {
      GTEST_SKIP() << "needs root to make network namespaces";
    }
    if (unshare(CLONE_NEWNET) != 0) {
      GTEST_SKIP() << "can't make a network namespace";
    }
    peer_ = fmt::format("nexthop-test-{}", getpid());
    run("ip netns add " + peer_);
    run("ip link set lo up");
    run("ip link add lb0 type veth peer name peer0 address 02:bb:00:00:00:00 netns " + peer_);
    run("ip link add up0 type veth peer name peer1 address 02:bb:00:00:00:01 netns " + peer_);
    // Resolution gives up after three tries: 0.3 s instead of 3 s.
    for (const char* interface : {"lb0", "up0"}) {
      run(fmt::format("echo 100 > /proc/sys/net/ipv4/neigh/{}/retrans_time_ms", interface));
      run(fmt::format("ip link set {} up", interface));
    }
    run("ip addr add 10.7.0.2/24 dev lb0");
    run("ip addr add 10.6.0.2/24 dev up0");
    on_peer("ip addr add 10.7.0.1/24 dev peer0");
    on_peer("ip addr add 10.7.0.11/24 dev peer0");
    on_peer("ip addr add 10.6.0.1/24 dev peer1");
    on_peer("ip link set peer0 up");
    on_peer("ip link set peer1 up");
  }

  void TearDown() override {
    if (!peer_.empty()) {
      run("ip link del lb0; ip link del up0; ip netns del " + peer_);
    }
  }

  void run(const std::string& command) { EXPECT_EQ(std::system(command.c_str()), 0) << command; }
  void on_peer(const std::string& command) { run(fmt::format("ip netns exec {} {}", peer_, command)); }

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

  template <typename Condition>
  bool poll_until(NextHopMonitor& monitor, Condition condition) {
    const Time deadline = monotonic_now() + kDeadline;
    while (monotonic_now() < deadline) {
      monitor.poll_once(monotonic_now());
      if (condition()) {
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
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

  std::string peer_;
  std::map<uint32_t, NextHopState> seen_;
  std::map<uint32_t, int> reports_;
  bool went_unresolved_ = false;
};

TEST_F(NextHopMonitorTest, ResolvesOnLinkAndThroughAGateway) {
  run("ip route add 10.8.0.0/16 via 10.7.0.1");
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip("10.7.0.11"), NextHopKind::kDirect);
  const uint32_t far = *monitor.acquire(ip("10.8.1.1"), NextHopKind::kRouted);
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
  EXPECT_EQ(monitor.state(far), seen_[far]);
  EXPECT_GE(monitor.counters().neighbour_requests, 1u);
}

TEST_F(NextHopMonitorTest, RefusesAGatewayForADirectNextHop) {
  run("ip route add 10.8.0.0/16 via 10.7.0.1");
  NextHopMonitor monitor = make();
  const uint32_t far = *monitor.acquire(ip("10.8.1.1"), NextHopKind::kDirect);
  EXPECT_TRUE(fails(monitor, far, "not on-link: the route goes via 10.7.0.1"));
  run("ip route replace 10.8.0.0/16 dev lb0");
  on_peer("ip addr add 10.8.1.1/16 dev peer0");
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
}

TEST_F(NextHopMonitorTest, FollowsRoutesAndRules) {
  run("ip route add 10.8.0.0/16 via 10.7.0.1");
  NextHopMonitor monitor = make();
  const uint32_t far = *monitor.acquire(ip("10.8.1.1"), NextHopKind::kRouted);
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
  run("ip route replace 10.8.0.0/16 via 10.6.0.1");
  EXPECT_TRUE(resolves(monitor, far, kPeer1, "up0"));
  run("ip route add 10.8.0.0/16 via 10.7.0.1 table 77");
  run("ip rule add to 10.8.0.0/16 lookup 77");
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
}

TEST_F(NextHopMonitorTest, NamesRoutesThatLeadNowhere) {
  NextHopMonitor monitor = make();
  const uint32_t far = *monitor.acquire(ip("10.8.1.1"), NextHopKind::kRouted);
  EXPECT_TRUE(fails(monitor, far, "no route"));
  run("ip route add blackhole 10.8.0.0/16");
  EXPECT_TRUE(fails(monitor, far, "blackhole"));
  run("ip route replace unreachable 10.8.0.0/16");
  EXPECT_TRUE(fails(monitor, far, "unreachable"));
  run("ip route replace prohibit 10.8.0.0/16");
  EXPECT_TRUE(fails(monitor, far, "prohibited"));
  run("ip route replace 10.8.0.0/16 via 10.7.0.1");
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
  const uint32_t own = *monitor.acquire(ip("10.7.0.2"), NextHopKind::kRouted);
  EXPECT_TRUE(fails(monitor, own, "is an address of this machine"));
}

TEST_F(NextHopMonitorTest, FollowsANeighbourThatChangesItsMac) {
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip("10.7.0.11"), NextHopKind::kDirect);
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  run("ip neigh replace 10.7.0.11 lladdr 02:cc:00:00:00:01 dev lb0 nud reachable");
  EXPECT_TRUE(resolves(monitor, near, mac("02:cc:00:00:00:01"), "lb0"));
  run("ip neigh replace 10.7.0.11 lladdr 02:cc:00:00:00:02 dev lb0 nud permanent");
  EXPECT_TRUE(resolves(monitor, near, mac("02:cc:00:00:00:02"), "lb0"));
}

TEST_F(NextHopMonitorTest, GivesUpANeighbourThatFailsAndFindsItAgain) {
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip("10.7.0.12"), NextHopKind::kDirect);
  EXPECT_TRUE(fails(monitor, near, "neighbour 10.7.0.12 on lb0 does not answer"));
  on_peer("ip addr add 10.7.0.12/24 dev peer0");
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  EXPECT_GE(monitor.counters().neighbour_requests, 2u);
}

TEST_F(NextHopMonitorTest, VerifiesAStaleNeighbour) {
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip("10.7.0.11"), NextHopKind::kDirect);
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  run("echo 1 > /proc/sys/net/ipv4/neigh/lb0/delay_first_probe_time");
  on_peer("ip link set peer0 address 02:bb:00:00:00:77");
  run("ip neigh change 10.7.0.11 dev lb0 nud stale");
  EXPECT_TRUE(resolves(monitor, near, mac("02:bb:00:00:00:77"), "lb0"));
}

TEST_F(NextHopMonitorTest, KeepsTheMacOfADeletedNeighbour) {
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip("10.7.0.11"), NextHopKind::kDirect);
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  went_unresolved_ = false;
  const uint64_t before = monitor.counters().neighbour_requests;
  run("ip neigh del 10.7.0.11 dev lb0");
  EXPECT_TRUE(poll_until(monitor, [&] { return monitor.counters().neighbour_requests > before; }));
  const auto is_back = [] {
    return std::system("ip neigh show 10.7.0.11 dev lb0 | grep -q 02:bb:00:00:00:00") == 0;
  };
  EXPECT_TRUE(poll_until(monitor, is_back));
  EXPECT_FALSE(went_unresolved_);
  EXPECT_TRUE(seen_[near].resolved);
}

TEST_F(NextHopMonitorTest, FollowsALinkDownAndUp) {
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip("10.7.0.11"), NextHopKind::kDirect);
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

TEST_F(NextHopMonitorTest, AsksForEverythingAgainAfterLosingChanges) {
  run("ip route add 10.8.0.0/16 via 10.7.0.1");
  NextHopOptions options;
  options.event_buffer_bytes = 4096;
  NextHopMonitor monitor = make(options);
  const uint32_t far = *monitor.acquire(ip("10.8.1.1"), NextHopKind::kRouted);
  const uint32_t near = *monitor.acquire(ip("10.7.0.11"), NextHopKind::kDirect);
  EXPECT_TRUE(resolves(monitor, far, kPeer0, "lb0"));
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  run("for i in $(seq 1 200); do echo route add 10.20.$i.0/24 via 10.7.0.1; done | ip -batch -");
  run("ip route replace 10.8.0.0/16 via 10.6.0.1");
  run("ip neigh replace 10.7.0.11 lladdr 02:cc:00:00:00:01 dev lb0 nud permanent");
  EXPECT_TRUE(resolves(monitor, far, kPeer1, "up0"));
  EXPECT_TRUE(resolves(monitor, near, mac("02:cc:00:00:00:01"), "lb0"));
  EXPECT_GE(monitor.counters().resyncs, 1u);
}

TEST_F(NextHopMonitorTest, SharesEqualNextHopsAndReusesFreedIndexes) {
  NextHopOptions options;
  options.capacity = 2;
  NextHopMonitor monitor = make(options);
  const uint32_t first = *monitor.acquire(ip("10.7.0.11"), NextHopKind::kRouted);
  EXPECT_EQ(*monitor.acquire(ip("10.7.0.11"), NextHopKind::kRouted), first);
  const uint32_t second = *monitor.acquire(ip("10.7.0.11"), NextHopKind::kDirect);
  EXPECT_NE(second, first);
  EXPECT_EQ(monitor.acquire(ip("10.7.0.1"), NextHopKind::kDirect).error().kind, ErrorKind::kConflict);
  EXPECT_TRUE(resolves(monitor, first, kPeer0, "lb0"));
  monitor.release(first);
  EXPECT_TRUE(monitor.state(first).resolved) << "one reference is left";
  monitor.release(first);
  seen_.clear();
  EXPECT_EQ(*monitor.acquire(ip("10.7.0.1"), NextHopKind::kDirect), first);
  EXPECT_FALSE(monitor.state(first).resolved);
  EXPECT_TRUE(resolves(monitor, first, kPeer0, "lb0"));
}

TEST_F(NextHopMonitorTest, ReportsEachStateOnce) {
  NextHopMonitor monitor = make();
  const uint32_t near = *monitor.acquire(ip("10.7.0.11"), NextHopKind::kDirect);
  EXPECT_TRUE(resolves(monitor, near, kPeer0, "lb0"));
  const int reports = reports_[near];
  EXPECT_LE(reports, 2);
  run("for i in 1 2 3; do ip route add 10.9.$i.0/24 via 10.7.0.1; done");
  const uint64_t queries = monitor.counters().route_queries;
  EXPECT_TRUE(poll_until(monitor, [&] { return monitor.counters().route_queries > queries; }));
  EXPECT_EQ(reports_[near], reports);
}

}  // namespace
}  // namespace maglb
