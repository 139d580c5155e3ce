// This machine's kernel, in two namespaces of the test's own, with both families:
//
//   (the test's, unnamed)                            (peer)
//   lb0 10.7.0.2/24 fd00:7::2/64  ---- veth ----  peer0 10.7.0.1/24 10.7.0.11/24 fd00:7::1/64 fd00:7::11/64
//                                                       fe80::1
//   up0 10.6.0.2/24 fd00:6::2/64  ---- veth ----  peer1 10.6.0.1/24 fd00:6::1/64 fe80::1
//
// A test is run once for each family (NetFamily), with that family's addresses.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <ostream>
#include <string>
#include <thread>

#include "lib/base/clock.h"
#include "lib/net/address.h"

namespace maglb::test {

inline IpAddress ip(const std::string& text) {
  return *IpAddress::parse(text);
}

inline MacAddress mac(const std::string& text) {
  return *MacAddress::parse(text);
}

inline const MacAddress kPeer0 = mac("02:bb:00:00:00:00");
inline const MacAddress kPeer1 = mac("02:bb:00:00:00:01");

struct NetFamily {
  std::string name;
  std::string flag;    // of the ip tool
  std::string sysctl;  // its directory in /proc/sys/net
  std::string own, gateway, near, absent;
  std::string other_gateway;  // behind up0
  std::string length;         // of all prefixes but the far one's
  std::string far, far_prefix, far_length;
  std::string more_prefix, more_length;  // more routes: a number goes between them
};

inline const NetFamily kNet4 = {
    "IPv4",     "-4",  "ipv4",     "10.7.0.2",    "10.7.0.1", "10.7.0.11", "10.7.0.12",
    "10.6.0.1", "/24", "10.8.1.1", "10.8.0.0/16", "/16",      "10.20.",    ".0/24",
};
inline const NetFamily kNet6 = {
    "IPv6",      "-6",  "ipv6",        "fd00:7::2",   "fd00:7::1", "fd00:7::11", "fd00:7::12",
    "fd00:6::1", "/64", "fd00:8:1::1", "fd00:8::/32", "/32",       "fd00:20:",   "::/64",
};

inline void PrintTo(const NetFamily& family, std::ostream* to) {
  *to << family.name;
}

inline std::string family_name(const testing::TestParamInfo<NetFamily>& info) {
  return info.param.name;
}

class TwoNamespaces : public testing::TestWithParam<NetFamily> {
 protected:
  const NetFamily& net() const { return GetParam(); }

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
    connect("lb0", "peer0", "02:bb:00:00:00:00");
    connect("up0", "peer1", "02:bb:00:00:00:01");
    for (const NetFamily& family : {kNet4, kNet6}) {
      add_address(family, "lb0", family.own);
      on_peer_add_address(family, "peer0", family.gateway);
      on_peer_add_address(family, "peer0", family.near);
      on_peer_add_address(family, "peer1", family.other_gateway);
    }
    add_address(kNet4, "up0", "10.6.0.2");
    add_address(kNet6, "up0", "fd00:6::2");
    on_peer_add_address(kNet6, "peer0", "fe80::1");
    on_peer_add_address(kNet6, "peer1", "fe80::1");
  }

  void TearDown() override {
    if (!peer_.empty()) {
      run("ip link del lb0; ip link del up0; ip netns del " + peer_);
    }
  }

  // A pair of interfaces that are up, here and in the peer.
  void connect(const std::string& here, const std::string& there, const std::string& mac_there) {
    run(fmt::format("ip link add {} type veth peer name {} address {} netns {}", here, there, mac_there,
                    peer_));
    for (const char* family : {"ipv4", "ipv6"}) {
      // Resolution gives up after three tries: 0.3 s instead of 3 s.
      run(fmt::format("echo 100 > /proc/sys/net/{}/neigh/{}/retrans_time_ms", family, here));
    }
    // Nobody else has these addresses, and they outlive a link that goes down as IPv4's do.
    const auto settle = [](const std::string& interface) {
      const std::string knobs = "/proc/sys/net/ipv6/conf/" + interface;
      return fmt::format("sh -c 'echo 0 > {0}/accept_dad; echo 1 > {0}/keep_addr_on_down'", knobs);
    };
    run(settle(here));
    on_peer(settle(there));
    run(fmt::format("ip link set {} up", here));
    on_peer(fmt::format("ip link set {} up", there));
  }

  void run(const std::string& command) { EXPECT_EQ(std::system(command.c_str()), 0) << command; }
  void on_peer(const std::string& command) { run(fmt::format("ip netns exec {} {}", peer_, command)); }
  // The ip tool in the test's family; {gateway} and the like stand for that family's.
  void run_ip(const std::string& rest) { run("ip " + filled_in(rest)); }
  void on_peer_ip(const std::string& rest) { on_peer("ip " + filled_in(rest)); }
  void add_address(const NetFamily& family, const std::string& interface, const std::string& address) {
    run(address_command(family, interface, address));
  }
  void on_peer_add_address(const NetFamily& family, const std::string& interface,
                           const std::string& address) {
    on_peer(address_command(family, interface, address));
  }

  // Polls what follows the kernel until the condition holds.
  template <typename Followed, typename Condition>
  static bool poll_until(Followed& followed, Condition condition) {
    const Time deadline = monotonic_now() + std::chrono::seconds(30);
    while (monotonic_now() < deadline) {
      followed.poll_once(monotonic_now());
      if (condition()) {
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  std::string peer_;

 private:
  std::string filled_in(const std::string& rest) const {
    const NetFamily& n = net();
    return fmt::format(fmt::runtime("{flag} " + rest), fmt::arg("flag", n.flag), fmt::arg("own", n.own),
                       fmt::arg("gateway", n.gateway), fmt::arg("near", n.near), fmt::arg("absent", n.absent),
                       fmt::arg("other_gateway", n.other_gateway), fmt::arg("length", n.length),
                       fmt::arg("far", n.far), fmt::arg("far_prefix", n.far_prefix),
                       fmt::arg("far_length", n.far_length));
  }

  static std::string address_command(const NetFamily& family, const std::string& interface,
                                     const std::string& address) {
    return fmt::format("ip {} addr add {}{} dev {}", family.flag, address, family.length, interface);
  }
};

}  // namespace maglb::test
