// Links by their kernel interfaces, which come and go. Those of VLANs are veths with a VLAN's name here:
// nothing of a next hop depends on what kind of interface it leaves by.
#include <net/if.h>

#include <memory>
#include <optional>

#include "dataplane/next_hops.h"
#include "tests/unit/nexthop/two_namespaces.h"

namespace maglb {
namespace {

using test::ip;
using test::kPeer0;
using test::mac;

constexpr uint8_t kUntagged = 0;
constexpr uint8_t kVlan100 = 1;
const MacAddress kPeerInVlan = mac("02:bb:00:00:00:64");

class NextHopLinks : public test::TwoNamespaces {
 protected:
  void SetUp() override {
    test::TwoNamespaces::SetUp();
    if (IsSkipped()) {
      return;
    }
    auto hops = NextHops::create({{"uplink", static_cast<int>(if_nametoindex("lb0")), std::nullopt},
                                  {"uplink.100", 0, std::nullopt, "lb0.100"}},
                                 table_);
    ASSERT_TRUE(hops) << hops.error().message;
    hops_ = std::move(*hops);
  }

  // A sub-interface with its route to the far prefix.
  void add_vlan(const std::string& here, const std::string& there) {
    connect(here, there, "02:bb:00:00:00:64");
    on_peer_ip(fmt::format("addr add {{far}}{{far_length}} dev {}", there));
    run_ip(fmt::format("route add {{far_prefix}} dev {}", here));
  }
  void del_vlan(const std::string& here) { run("ip link del " + here); }

  uint32_t acquire(const std::string& address) {
    return hops_->acquire(ip(address), ForwardMode::kL2).value();
  }
  testing::AssertionResult leads_to(uint32_t index, const std::optional<NextHop>& expected) {
    if (poll_until(*hops_, [&] { return table_.get(index) == expected; })) {
      return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << hops_->describe(index);
  }
  testing::AssertionResult is_told(uint32_t index, const std::string& expected) {
    if (poll_until(*hops_, [&] { return hops_->describe(index) == expected; })) {
      return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << hops_->describe(index);
  }

  NextHopTable table_{8};
  std::unique_ptr<NextHops> hops_;
};

TEST_P(NextHopLinks, FindsAnInterfaceThatAppearsAfterTheStart) {
  const uint32_t near = acquire(net().near);
  const uint32_t far = acquire(net().far);
  EXPECT_TRUE(leads_to(near, NextHop{kPeer0, kUntagged}));
  EXPECT_TRUE(is_told(far, "unresolved: no route"));
  add_vlan("lb0.100", "peer0.100");
  EXPECT_TRUE(leads_to(far, NextHop{kPeerInVlan, kVlan100}));
  EXPECT_EQ(hops_->describe(far), "02:bb:00:00:00:64 via uplink.100");
  EXPECT_EQ(table_.get(near), (NextHop{kPeer0, kUntagged}));
}

TEST_P(NextHopLinks, FollowsAnInterfaceThatComesBackWithAnotherIndex) {
  add_vlan("lb0.100", "peer0.100");
  const unsigned before = if_nametoindex("lb0.100");
  const uint32_t far = acquire(net().far);
  EXPECT_TRUE(leads_to(far, NextHop{kPeerInVlan, kVlan100}));
  del_vlan("lb0.100");
  EXPECT_TRUE(leads_to(far, std::nullopt));
  add_vlan("lb0.100", "peer0.100");
  EXPECT_NE(if_nametoindex("lb0.100"), before);
  EXPECT_TRUE(leads_to(far, NextHop{kPeerInVlan, kVlan100}));
}

TEST_P(NextHopLinks, FollowsAnInterfaceThatIsRenamed) {
  add_vlan("lb0.200", "peer0.100");
  const uint32_t far = acquire(net().far);
  EXPECT_TRUE(is_told(far, "unresolved: the route leads through interface lb0.200, which is no port"));
  run("ip link set lb0.200 name lb0.100");
  EXPECT_TRUE(leads_to(far, NextHop{kPeerInVlan, kVlan100}));
  run("ip link set lb0.100 name lb0.300");
  EXPECT_TRUE(is_told(far, "unresolved: the route leads through interface lb0.300, which is no port"));
  EXPECT_EQ(table_.get(far), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Families, NextHopLinks, testing::Values(test::kNet4, test::kNet6),
                         test::family_name);

}  // namespace
}  // namespace maglb
