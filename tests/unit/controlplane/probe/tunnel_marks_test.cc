// Marks of probes through tunnels, with the real devices in a network namespace of the test's own.
#include "controlplane/probe/tunnel_marks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "tests/support/own_network.h"

namespace maglb {
namespace {

bool shell(const std::string& command) {
  return std::system(command.c_str()) == 0;
}

ProbeUser user(const std::string& name, const char* backend, const char* service, ForwardMode mode) {
  ProbeConfig config;
  config.via = ProbeVia::kTunnel;
  ProbeTarget target = ProbeTarget::make(*IpAddress::parse(backend), 80, config);
  target.connect_to = *IpAddress::parse(service);
  return {"web", name, target, {}, ProbePath::of(mode, target.address, {})};
}

class TunnelMarksTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!entered_own_network(
            "ip link set lo up && ip link add eth0 type veth peer name peer0 && ip link set eth0 up &&"
            "ip link set peer0 up && ip address add 10.0.0.2/16 dev eth0 &&"
            "ip route add default via 10.0.0.1")) {
      return;
    }
  }

  boost::asio::io_context io_;
  int changes_ = 0;
};

TEST_F(TunnelMarksTest, OneMarkForEachWay) {
  TunnelMarks marks(io_, {}, [] {});
  std::vector<ProbeUser> users = {user("a", "10.0.1.11", "198.51.100.1", ForwardMode::kIpip),
                                  user("b", "10.0.1.11", "198.51.100.2", ForwardMode::kIpip),
                                  user("c", "10.0.1.11", "198.51.100.1", ForwardMode::kL2),
                                  user("d", "10.0.1.12", "198.51.100.1", ForwardMode::kIpip)};
  marks.give(users);
  std::set<uint32_t> seen;
  for (const ProbeUser& one : users) {
    ASSERT_TRUE(one.target.mark && one.target.fault.empty()) << one.target.fault;
    seen.insert(*one.target.mark);
  }
  EXPECT_EQ(users[0].target.mark, users[1].target.mark) << "the service's address is no part of the way";
  EXPECT_EQ(seen.size(), 3u);
  const auto kept = users[3].target.mark;
  users.erase(users.begin(), users.begin() + 3);
  marks.give(users);
  EXPECT_EQ(users[0].target.mark, kept);
  users.clear();
  marks.give(users);
  EXPECT_FALSE(shell("ip link show maglb-probe0 2> /dev/null")) << "gone with the last";
}

TEST_F(TunnelMarksTest, TheMarkBeyondTheLastIsAFault) {
  TunnelMarks marks(
      io_, {}, [] {}, 2);
  std::vector<ProbeUser> users;
  for (int i = 1; i <= 3; ++i) {
    users.push_back(
        user(fmt::format("b{}", i), fmt::format("10.0.1.{}", i).c_str(), "198.51.100.1", ForwardMode::kGue));
  }
  marks.give(users);
  EXPECT_TRUE(users[0].target.mark && users[1].target.mark);
  EXPECT_FALSE(users[2].target.mark);
  EXPECT_NE(users[2].target.fault, "");
  EXPECT_EQ(marks.warnings().size(), 1u);
  users.erase(users.begin());
  marks.give(users);
  EXPECT_TRUE(users[0].target.mark && users[1].target.mark);
  EXPECT_TRUE(marks.warnings().empty());
}

TEST_F(TunnelMarksTest, ByL2AServiceOfTheOtherFamilyIsAFault) {
  TunnelMarks marks(io_, {}, [] {});
  std::vector<ProbeUser> users = {user("a", "10.0.1.11", "2001:db8::1", ForwardMode::kL2),
                                  user("b", "10.0.1.11", "198.51.100.1", ForwardMode::kL2)};
  marks.give(users);
  EXPECT_FALSE(users[0].target.mark);
  EXPECT_NE(users[0].target.fault.find("family"), std::string::npos) << users[0].target.fault;
  EXPECT_TRUE(users[1].target.mark) << users[1].target.fault;
  const auto warnings = marks.warnings();
  EXPECT_TRUE(std::any_of(warnings.begin(), warnings.end(), [](const std::string& warning) {
    return warning.find("2001:db8::1 at 10.0.1.11") != std::string::npos;
  }));
}

TEST_F(TunnelMarksTest, AFaultOfThisHostIsToldAndEnds) {
  ASSERT_TRUE(shell("ip route del default"));
  TunnelMarks marks(io_, {}, [this] { ++changes_; });
  std::vector<ProbeUser> users = {user("a", "10.0.1.11", "198.51.100.1", ForwardMode::kIpip)};
  marks.give(users);
  EXPECT_FALSE(users[0].target.mark);
  EXPECT_NE(users[0].target.fault, "");
  ASSERT_TRUE(shell("ip route add default via 10.0.0.1"));
  for (int i = 0; i < 100 && changes_ == 0; ++i) {
    io_.run_one_for(std::chrono::seconds(1));
  }
  ASSERT_EQ(changes_, 1);
  marks.give(users);
  EXPECT_TRUE(users[0].target.mark && users[0].target.fault.empty());
}

TEST_F(TunnelMarksTest, WithoutPrivilegeThereIsAFaultAndNoMark) {
  const pid_t child = fork();
  if (child == 0) {
    if (setuid(65534) != 0) {
      _exit(2);
    }
    TunnelMarks marks(io_, {}, [] {});
    std::vector<ProbeUser> users = {user("a", "10.0.1.11", "198.51.100.1", ForwardMode::kIpip)};
    marks.give(users);
    _exit(!users[0].target.mark && !users[0].target.fault.empty() && marks.warnings().size() == 1 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace maglb
