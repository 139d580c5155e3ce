#include "controlplane/api/access.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/api/tcp_listener.h"
#include "lib/base/unique_fd.h"

namespace maglb {
namespace {

constexpr uid_t kStranger = 65533;

TEST(SocketAccess, WithoutGroupsWhoeverGetsInIsAdmin) {
  const SocketAccess access;
  EXPECT_EQ(access.socket_mode(), 0660u);
  EXPECT_EQ(access.judge(kStranger, kStranger, {}), Access::kAdmin);
}

TEST(SocketAccess, OneGroupIsEnoughToShutOthersOut) {
  const group* root = getgrgid(0);
  ASSERT_NE(root, nullptr);
  const auto readers = SocketAccess::of_groups("", root->gr_name);
  ASSERT_TRUE(readers);
  EXPECT_EQ(readers->socket_mode(), 0666u);
  EXPECT_EQ(readers->judge(kStranger, 0, {}), Access::kRead);
  EXPECT_EQ(readers->judge(kStranger, kStranger, {5, 0}), Access::kRead);
  EXPECT_EQ(readers->judge(kStranger, kStranger, {5}), Access::kNone);
  EXPECT_EQ(readers->judge(0, kStranger, {}), Access::kAdmin);
  EXPECT_EQ(readers->judge(geteuid(), kStranger, {}), Access::kAdmin);
  EXPECT_FALSE(SocketAccess::of_groups("no-such-group", ""));
}

TEST(SocketAccess, ASocketOfNoUnixPeerGivesNoRight) {
  const UniqueFd other(socket(AF_INET, SOCK_STREAM, 0));
  const auto access = SocketAccess::of_groups(getgrgid(0)->gr_name, "");
  ASSERT_TRUE(access);
  EXPECT_EQ(access->peer_of(-1).access, Access::kNone);
  EXPECT_EQ(access->peer_of(other.get()).access, Access::kNone);
}

TEST(NameAccess, NamesMatchWhole) {
  const NameAccess access({"alice"});
  EXPECT_EQ(access.peer_of("alice").access, Access::kAdmin);
  for (const char* name : {"", "Alice", "alice ", "alic", "bob"}) {
    EXPECT_EQ(access.peer_of(name).access, Access::kRead);
  }
}

TEST(TcpAddress, TakesNumbersOnly) {
  for (const char* good : {"127.0.0.1:9443", "0.0.0.0:1", "[::1]:65535", "[2001:db8::1]:80"}) {
    const auto at = TcpAddress::parse(good);
    ASSERT_TRUE(at) << good;
    EXPECT_EQ(at->to_string(), good);
  }
  for (const char* bad :
       {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:8 ", "127.0.0.1:+8",
        "::1:80", "[::1]", "[127.0.0.1]:80", "localhost:80", "[]:80", "[::1]80"}) {
    EXPECT_FALSE(TcpAddress::parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace maglb
