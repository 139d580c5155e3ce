// Devices, rules and marks of probes through tunnels, in a network namespace of the test's own. That probes
// arrive is shown end to end.
#include "lib/bpf/probe_tunnel.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "tests/support/own_network.h"

namespace maglb {
namespace {

bool shell(const std::string& command) {
  return std::system(command.c_str()) == 0;
}

IpAddress address(const char* text) {
  return *IpAddress::parse(text);
}

class ProbeTunnelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!entered_own_network(
            "ip link set lo up && ip link add eth0 type veth peer name peer0 &&"
            "ip link set eth0 up && ip link set peer0 up && ip address add 10.0.0.2/16 dev eth0 &&"
            "ip address add 2001:db8::2/48 dev eth0 nodad && ip route add default via 10.0.0.1 &&"
            "ip route add default via 2001:db8::1")) {
      return;
    }
  }

  const IpAddress web_ = address("198.51.100.1");
  const IpAddress web6_ = address("2001:db8:f::1");
  const ProbePath path_ = ProbePath::of(ForwardMode::kIpip, address("10.0.1.11"), {});
};

TEST_F(ProbeTunnelTest, TakesMarkedPacketsOnly) {
  auto tunnel = ProbeTunnel::open({});
  ASSERT_TRUE(tunnel) << tunnel.error().message;
  const uint32_t mark = (*tunnel)->mark(1);
  ASSERT_TRUE((*tunnel)->put(mark, path_));
  for (const IpAddress& service : {web_, web6_}) {
    const auto verified = (*tunnel)->verify(service, mark);
    EXPECT_TRUE(verified) << verified.error().message;
  }
  EXPECT_TRUE(shell("ip route get 198.51.100.1 mark 0x6d600001 | grep -q 'dev maglb-probe0.*src 10.0.0.2'"));
  EXPECT_TRUE(shell("ip route get 198.51.100.1 | grep -q 'dev eth0'"));
  EXPECT_TRUE(
      shell("ip route get 2001:db8:f::1 mark 0x6d600001 | grep -q 'dev maglb-probe0.*src 2001:db8::2'"));
}

TEST_F(ProbeTunnelTest, LeavesNothingBehind) {
  { ASSERT_TRUE((*ProbeTunnel::open({}))->verify(web_, 0x6d600001)); }
  EXPECT_FALSE(shell("ip link show maglb-probe0 2> /dev/null"));
  EXPECT_FALSE(shell("{ ip rule; ip -6 rule; } | grep 6d60"));
  EXPECT_FALSE(shell("ip route show table 27960 2> /dev/null | grep ."));
}

TEST_F(ProbeTunnelTest, TwoProcessesHaveInstancesOfTheirOwn) {
  auto first = ProbeTunnel::open({});
  auto second = ProbeTunnel::open({});
  ASSERT_TRUE(first && second);
  EXPECT_NE((*first)->mark(1), (*second)->mark(1));
  EXPECT_TRUE((*first)->verify(web_, (*first)->mark(1)));
  EXPECT_TRUE((*second)->verify(web_, (*second)->mark(1)));
  first->reset();
  EXPECT_TRUE((*second)->verify(web_, (*second)->mark(1)));
  EXPECT_TRUE(shell("ip route get 198.51.100.1 mark 0x6d610001 | grep -q 'dev maglb-probe1'"));
}

TEST_F(ProbeTunnelTest, TakesOverWhatAKilledProcessLeft) {
  const pid_t child = fork();
  if (child == 0) {
    const auto left = ProbeTunnel::open({});
    _exit(left && (*left)->verify(address("198.51.100.1"), 0x6d600001) ? 0 : 1);  // no destructor
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(shell("ip link show maglb-probe0 > /dev/null"));
  auto tunnel = ProbeTunnel::open({});
  ASSERT_TRUE(tunnel) << tunnel.error().message;
  EXPECT_EQ((*tunnel)->instance().number, 0u);
  EXPECT_TRUE((*tunnel)->verify(web_, (*tunnel)->mark(1)));
  EXPECT_TRUE(shell("test $(ip rule | grep -c 0x6d600000/0xffff0000) = 1"));
}

TEST_F(ProbeTunnelTest, MendsRulesAndRoutesThatOthersTookAway) {
  auto tunnel = ProbeTunnel::open({});
  ASSERT_TRUE(tunnel && (*tunnel)->verify(web_, (*tunnel)->mark(1)));
  ASSERT_TRUE(shell("ip rule del pref 90 && ip route flush table 27960"));
  EXPECT_TRUE((*tunnel)->verify(web_, (*tunnel)->mark(1)));
  EXPECT_TRUE(shell("ip route get 198.51.100.1 mark 0x6d600001 | grep -q 'dev maglb-probe0'"));
}

TEST_F(ProbeTunnelTest, MarkedPacketsGoNowhereWhenTheDeviceIsGone) {
  auto tunnel = ProbeTunnel::open({});
  ASSERT_TRUE(tunnel && (*tunnel)->verify(web_, (*tunnel)->mark(1)));
  ASSERT_TRUE(shell("ip link del maglb-probe0"));
  EXPECT_FALSE(shell("ip route get 198.51.100.1 mark 0x6d600001 2> /dev/null"));
  EXPECT_FALSE((*tunnel)->verify(web_, (*tunnel)->mark(1)));
}

TEST_F(ProbeTunnelTest, RefusesAServiceAddressOfThisHost) {
  ASSERT_TRUE(shell("ip address add 198.51.100.1/32 dev lo"));
  auto tunnel = ProbeTunnel::open({});
  ASSERT_TRUE(tunnel);
  const auto verified = (*tunnel)->verify(web_, (*tunnel)->mark(1));
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().kind, ErrorKind::kConflict);
}

TEST_F(ProbeTunnelTest, SaysWhenARuleOfOthersComesBefore) {
  ASSERT_TRUE(shell("ip rule add pref 5 lookup main"));
  auto tunnel = ProbeTunnel::open({});
  ASSERT_TRUE(tunnel);
  EXPECT_FALSE((*tunnel)->verify(web_, (*tunnel)->mark(1)));
}

TEST_F(ProbeTunnelTest, SaysWhenThereIsNoWayToTheBackend) {
  ASSERT_TRUE(shell("ip route del default"));
  auto tunnel = ProbeTunnel::open({});
  ASSERT_TRUE(tunnel);
  const auto put =
      (*tunnel)->put((*tunnel)->mark(1), ProbePath::of(ForwardMode::kGue, address("192.0.2.1"), {}));
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace maglb
