// Steering that follows services, the host's addresses and an interface's MAC, on an interface of a network
// namespace of its own.
#include "dataplane/steering_sync.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <random>

#include "lib/bpf/attachment.h"
#include "lib/bpf/objects.h"
#include "lib/bpf/steer_maps.h"
#include "tests/support/own_network.h"

namespace maglb {
namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

IpPrefix prefix(const char* text) {
  return *IpPrefix::parse(text);
}

ServiceSpec service(const char* address, uint16_t port) {
  ServiceSpec spec;
  spec.address = ip(address);
  spec.port = port;
  return spec;
}

TEST(SteerWantedOf, AsksForFragmentsButOfTheHostsOwnAddresses) {
  const SteerWanted wanted =
      steer_wanted_of({service("198.51.100.1", 80), service("2001:db8::1", 80), service("2001:db8::2", 53)},
                      {ip("198.51.100.1"), ip("2001:db8::2")});
  EXPECT_EQ(wanted.packets.size(), 3u);
  EXPECT_TRUE(wanted.packets.contains({prefix("2001:db8::1"), Protocol::kTcp, 80, 80}));
  EXPECT_EQ(wanted.fragments, (std::set<IpPrefix>{prefix("2001:db8::1")}));
}

TEST(Without, LeavesTheRestOfThePrefix) {
  EXPECT_EQ(without(prefix("10.0.0.0/24"), {ip("10.0.1.1")}), (std::set<IpPrefix>{prefix("10.0.0.0/24")}));
  EXPECT_EQ(without(prefix("10.0.0.1"), {ip("10.0.0.1")}), std::set<IpPrefix>{});
  EXPECT_EQ(without(prefix("10.0.0.0/30"), {ip("10.0.0.1")}),
            (std::set<IpPrefix>{prefix("10.0.0.0"), prefix("10.0.0.2/31")}));
  EXPECT_EQ(without(prefix("::/0"), {ip("10.0.0.1")}), (std::set<IpPrefix>{prefix("::/0")}));
  EXPECT_EQ(without(prefix("::/0"), {ip("2001:db8::1")}).size(), 128u);
}

TEST(Without, HoldsEveryAddressButThose) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::set<IpAddress> out;
    for (uint64_t n = random() % 20; n > 0; --n) {
      out.insert(IpAddress::v4({10, 0, 0, static_cast<uint8_t>(random())}));
    }
    const std::set<IpPrefix> pieces = without(prefix("10.0.0.0/24"), out);
    for (int last = 0; last < 256; ++last) {
      const IpAddress address = IpAddress::v4({10, 0, 0, static_cast<uint8_t>(last)});
      int holders = 0;
      for (const IpPrefix& piece : pieces) {
        holders += piece.contains(address) ? 1 : 0;
      }
      EXPECT_EQ(holders, out.contains(address) ? 0 : 1) << last;
    }
  }
}

class SteeringSyncTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!entered_own_network("ip link add lb0 type veth peer name peer0")) {
      return;
    }
    auto object = BpfObject::load(steer_object(), MAGLB_STEER_PROGRAM);
    ASSERT_TRUE(object) << object.error().message;
    object_.emplace(std::move(*object));
    ASSERT_TRUE(attach_xdp(*interface_index("lb0"), object_->program_fd(MAGLB_STEER_PROGRAM),
                           XdpMode::kNative, nullptr));
    auto steering = Steering::open("lb0");
    ASSERT_TRUE(steering) << steering.error().message;
    steering_.emplace(std::move(*steering));
  }
  void TearDown() override {
    if (object_) {
      (void)!std::system("ip link del lb0");
    }
  }

  uint8_t purposes(const char* address) const {
    const SteerTables tables = *steering_->tables();
    const auto found = tables.addresses.find(prefix(address));
    return found == tables.addresses.end() ? uint8_t{0} : found->second;
  }

  std::optional<BpfObject> object_;
  std::optional<Steering> steering_;
};

// What is steered of an address that the host has not.
constexpr uint8_t kNotTheHosts = MAGLB_STEER_FRAGMENTS | MAGLB_STEER_ECHOES;

TEST_F(SteeringSyncTest, FollowsTheHostsAddressesOfBothFamilies) {
  SteeringSync sync({&*steering_}, {.echoes = {prefix("203.0.113.0/24")}});
  const std::vector<ServiceSpec> services = {service("198.51.100.1", 80), service("2001:db8::1", 80)};
  ASSERT_TRUE(sync.widen(services));
  ASSERT_TRUE(sync.settle(services));
  Time now{std::chrono::seconds(10)};
  sync.poll_once(now);
  EXPECT_EQ(purposes("198.51.100.1"), kNotTheHosts);
  EXPECT_EQ(purposes("2001:db8::1"), kNotTheHosts);
  EXPECT_EQ(purposes("203.0.113.0/24"), MAGLB_STEER_ECHOES);
  ASSERT_EQ(std::system("ip addr add 198.51.100.1/32 dev lo && ip addr add 2001:db8::1/128 dev lo"), 0);
  sync.poll_once(now + std::chrono::milliseconds(900));
  EXPECT_EQ(purposes("198.51.100.1"), kNotTheHosts) << "once a second";
  now += std::chrono::milliseconds(1000);
  sync.poll_once(now);
  EXPECT_EQ(purposes("198.51.100.1"), 0);
  EXPECT_EQ(purposes("2001:db8::1"), 0);
  EXPECT_EQ(purposes("203.0.113.0/24"), MAGLB_STEER_ECHOES);
  ASSERT_EQ(std::system("ip addr del 2001:db8::1/128 dev lo"), 0);
  sync.poll_once(now + std::chrono::seconds(1));
  EXPECT_EQ(purposes("198.51.100.1"), 0);
  EXPECT_EQ(purposes("2001:db8::1"), kNotTheHosts);
}

TEST_F(SteeringSyncTest, FollowsTheInterfacesMac) {
  SteeringSync sync({&*steering_});
  sync.poll_once(Time{std::chrono::seconds(10)});
  ASSERT_EQ(std::system("ip link set lb0 address 02:aa:00:00:00:77"), 0);
  sync.poll_once(Time{std::chrono::seconds(11)});
  EXPECT_FALSE(steering_->follow_mac()->has_value()) << "the program has it already";
}

TEST_F(SteeringSyncTest, WidensBeforeItSettles) {
  SteeringSync sync({&*steering_});
  ASSERT_TRUE(sync.settle({service("198.51.100.1", 80)}));
  ASSERT_TRUE(sync.widen({service("198.51.100.2", 80)}));
  EXPECT_EQ(steering_->tables()->services.size(), 2u);
  ASSERT_TRUE(sync.settle({service("198.51.100.2", 80)}));
  EXPECT_EQ(steering_->tables()->services, (std::set<SteerPort>{{ip("198.51.100.2"), Protocol::kTcp, 80}}));
}

}  // namespace
}  // namespace maglb
