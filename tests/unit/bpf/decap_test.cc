// What tests/decap does not reach: rules read back, and programs of others in our places.
#include "lib/bpf/decap.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "lib/bpf/attachment.h"
#include "tests/support/own_network.h"

namespace maglb {
namespace {

class DecapTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!entered_own_network("ip link add eth0 type veth peer name peer0")) {
      return;
    }
  }
  void TearDown() override { (void)!std::system("ip link del eth0 2> /dev/null"); }

  const DecapRules rules_ = {
      .from = {*IpPrefix::parse("10.0.0.0/24"), *IpPrefix::parse("2001:db8::/32"), *IpPrefix::parse("::/0")},
      .gre_key = 0xfedcba98,
      .gue_port = 6081};
};

TEST_F(DecapTest, RefusesSomeoneElsesXdpProgramByName) {
  const bpf_insn pass[] = {{.code = 0xb7, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 2},
                           {.code = 0x95, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const UniqueFd other(bpf_prog_load(BPF_PROG_TYPE_XDP, "firewall", "GPL", pass, 2, nullptr));
  ASSERT_TRUE(attach_xdp(*interface_index("eth0"), other.get(), XdpMode::kNative, nullptr));
  for (const auto& result :
       {attach_decap("eth0", rules_, DecapMode::kAuto).map([](DecapPlace) {}),
        attach_decap("eth0", rules_, DecapMode::kXdp).map([](DecapPlace) {}), detach_decap("eth0")}) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::kConflict);
    EXPECT_NE(result.error().message.find("firewall (id "), std::string::npos) << result.error().message;
  }
  EXPECT_EQ((*find_xdp(*interface_index("eth0")))->program.name, "firewall");
  EXPECT_EQ(*attach_decap("eth0", rules_, DecapMode::kTc), DecapPlace::kTc) << "TC is another place";
}

TEST_F(DecapTest, GoesToTcOrGenericXdpWhereTheDriverHasNoXdp) {
  ASSERT_EQ(std::system("ip link add eth1 link eth0 type macvlan mode bridge"), 0);
  EXPECT_EQ(*attach_decap("eth1", rules_, DecapMode::kAuto), DecapPlace::kTc);
  EXPECT_EQ(*attach_decap("eth1", rules_, DecapMode::kXdp), DecapPlace::kXdpGeneric);
  const auto status = *decap_status("eth1");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->place, DecapPlace::kXdpGeneric);
  DecapRules expected = rules_;
  std::sort(expected.from.begin(), expected.from.end());
  EXPECT_EQ(status->rules, expected);
  EXPECT_EQ(*attach_decap("eth1", rules_, DecapMode::kAuto), DecapPlace::kXdpGeneric) << "replaced in place";
  ASSERT_TRUE(detach_decap("eth1"));
  EXPECT_FALSE(*decap_status("eth1"));
}

}  // namespace
}  // namespace maglb
