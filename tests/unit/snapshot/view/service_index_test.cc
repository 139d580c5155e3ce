#include "lib/snapshot/view/service_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <tuple>
#include <vector>

namespace maglb {
namespace {

using Identity = std::tuple<IpAddress, Protocol, uint16_t>;

// Many share an address, a port, or all but one bit of either.
class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {
    for (int i = 0; i < 64; ++i) {
      addresses_.push_back(random_address());
    }
  }

  Identity any() {
    IpAddress address = random_() % 2 == 0 ? addresses_[random_() % addresses_.size()] : random_address();
    if (random_() % 4 == 0) {
      address.bytes[15] ^= static_cast<uint8_t>(1u << random_() % 8);
    }
    const auto port = static_cast<uint16_t>(random_() % 4 == 0 ? random_() : 80 + random_() % 16);
    return {address, random_() % 2 == 0 ? Protocol::kTcp : Protocol::kUdp, port};
  }
  Identity near(const Identity& identity) {
    auto [address, protocol, port] = identity;
    switch (random_() % 4) {
      case 0:
        address.bytes[random_() % 16] ^= static_cast<uint8_t>(1u << random_() % 8);
        break;
      case 1:
        port = static_cast<uint16_t>(port ^ 1u << random_() % 16);
        break;
      case 2:
        protocol = protocol == Protocol::kTcp ? Protocol::kUdp : Protocol::kTcp;
        break;
      default:
        break;
    }
    return {address, protocol, port};
  }
  uint64_t random() { return random_(); }

 private:
  IpAddress random_address() {
    IpAddress address = IpAddress::v4(std::array<uint8_t, 4>{198, 51, 100, static_cast<uint8_t>(random_())});
    if (random_() % 2 == 0) {
      address = IpAddress{{0x20, 1, 0xd, 0xb8}};
      store_le(&address.bytes[8], random_() % 2 == 0 ? random_() : random_() % 256 << 56);
    }
    return address;
  }

  std::mt19937_64 random_;
  std::vector<IpAddress> addresses_;
};

using Model = std::map<Identity, uint32_t>;

ServiceIndex index_of(const Model& model) {
  std::vector<ServiceIndex::Service> services;
  for (const auto& [identity, id] : model) {
    ServiceView view;
    view.id = id;
    services.push_back({std::get<0>(identity), std::get<1>(identity), std::get<2>(identity), view});
  }
  return ServiceIndex(services, std::pmr::get_default_resource());
}

void expect_as_model(const ServiceIndex& index, const Model& model, const Identity& identity) {
  const auto& [address, protocol, port] = identity;
  FlowKey flow;
  flow.source = IpAddress::v4(std::array<uint8_t, 4>{192, 0, 2, 1});
  flow.source_port = Be16(0xfedc);
  flow.destination = address;
  flow.destination_port = Be16(port);
  flow.protocol = protocol;
  const auto expected = model.find(identity);
  const ServiceView* const found = index.find(flow);
  ASSERT_EQ(found != nullptr, expected != model.end());
  ASSERT_EQ(index.find_exact(flow), found);
  if (found != nullptr) {
    ASSERT_EQ(found->id, expected->second);
  }
}

TEST(ServiceIndex, FindsWhatAMapFinds) {
  for (const size_t size : {0u, 1u, 2u, 3u, 100u, 1000u, 5000u}) {
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      SCOPED_TRACE(std::to_string(size) + " services, seed " + std::to_string(seed));
      World world(seed);
      Model model;
      while (model.size() < size) {
        model.emplace(world.any(), static_cast<uint32_t>(model.size() + 1));
      }
      const ServiceIndex index = index_of(model);
      EXPECT_EQ(index.size(), size);
      for (const auto& [identity, id] : model) {
        expect_as_model(index, model, identity);
        expect_as_model(index, model, world.near(identity));
        EXPECT_TRUE(index.has_address(std::get<0>(identity)));
      }
      for (int i = 0; i < 10'000; ++i) {
        expect_as_model(index, model, world.any());
      }
      ASSERT_FALSE(::testing::Test::HasFatalFailure());
    }
  }
}

TEST(ServiceIndex, HasNoServiceWhereNothingIsAsked) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{50}}) {
    World world(7);
    Model model;
    while (model.size() < size) {
      model.emplace(world.any(), 1);
    }
    const ServiceIndex index = index_of(model);
    FlowKey nothing;
    EXPECT_EQ(index.find(nothing), nullptr);
    nothing.protocol = Protocol::kTcp;
    EXPECT_EQ(index.find(nothing), nullptr);
    EXPECT_FALSE(index.has_address(IpAddress{}));
  }
}

TEST(ServiceTimeouts, RoundUpToMillisecondsAndRenewWithinTheMargin) {
  ServiceTimeouts timeouts;
  timeouts.set(1, Duration(1));
  EXPECT_EQ(timeouts.of(1), std::chrono::milliseconds(1));
  // Just below, at and above where the unit changes: a fresh deadline is not due.
  for (const int seconds : {30, 900, 3571, 3573, 3600, 3601, 86'400}) {
    const Duration timeout = std::chrono::seconds(seconds);
    timeouts.set(2, timeout);
    EXPECT_EQ(timeouts.of(2), timeout);
    for (const Time now : {Time(0), Time(134'217'727), Time(std::chrono::hours(77))}) {
      const Deadline fresh = Deadline::after(now, timeout + ServiceTimeouts::margin(timeout));
      EXPECT_GT(fresh.units_left(Tick::at(now)), timeouts.renew_units[2]) << seconds;
    }
  }
}

}  // namespace
}  // namespace maglb
