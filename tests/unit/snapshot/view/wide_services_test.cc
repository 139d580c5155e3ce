// Services that match much, against the order of wide_services.h written as it is said: all services that
// match, and of those the best.
#include "lib/snapshot/view/wide_services.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <vector>

#include "lib/snapshot/view/service_index.h"

namespace maglb {
namespace {

using Rule = WideServices::Rule;

bool holds(const IpPrefix& prefix, const IpAddress& address) {
  for (int bit = 0; bit < prefix.length; ++bit) {
    const auto at = static_cast<size_t>(bit / 8);
    if (((prefix.address.bytes[at] ^ address.bytes[at]) >> (7 - bit % 8) & 1) != 0) {
      return false;
    }
  }
  return prefix.is_v4() == address.is_v4();
}

bool matches(const Rule& rule, const FlowKey& flow) {
  const bool has_ports = flow.protocol == Protocol::kTcp || flow.protocol == Protocol::kUdp;
  const uint16_t port = flow.destination_port.host();
  const bool right_port = rule.ports.first <= port && port <= rule.ports.last;
  const bool all_ports = rule.ports.first == 0 && rule.ports.last == 65535;
  const bool right_protocol =
      rule.protocol == flow.protocol || (rule.protocol == Protocol::kAny && (has_ports || all_ports));
  return right_protocol && right_port && holds(rule.address, flow.destination);
}

// Whether `a` is the more specific of two that match one packet.
bool is_better(const Rule& a, const Rule& b) {
  if (a.address.length != b.address.length) {
    return a.address.length > b.address.length;
  }
  if ((a.protocol == Protocol::kAny) != (b.protocol == Protocol::kAny)) {
    return b.protocol == Protocol::kAny;
  }
  return a.ports.last - a.ports.first < b.ports.last - b.ports.first;
}

const Rule* best_of(const std::vector<Rule>& rules, const FlowKey& flow) {
  const Rule* best = nullptr;
  for (const Rule& rule : rules) {
    if (matches(rule, flow) && (best == nullptr || is_better(rule, *best))) {
      best = &rule;
    }
  }
  return best;
}

class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {}

  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }

  // Few bits differ, so that prefixes nest and addresses hit.
  IpAddress address() {
    if (below(2) == 0) {
      return IpAddress::v4({198, 51, static_cast<uint8_t>(below(3)), static_cast<uint8_t>(below(256))});
    }
    IpAddress v6{{0x20, 1, 0xd, 0xb8}};
    v6.bytes[7] = static_cast<uint8_t>(below(3));
    v6.bytes[15] = static_cast<uint8_t>(below(256));
    return v6;
  }
  IpPrefix prefix() {
    const IpAddress first = address();
    const uint32_t least = first.is_v4() ? 108 : 32;
    const auto length = static_cast<uint8_t>(below(3) == 0 ? 128 : least + below(129 - least));
    return {masked(first, length), length};
  }
  uint16_t port() { return static_cast<uint16_t>(below(8) == 0 ? random_() : 75 + below(40)); }
  PortRange ports() {
    const auto first = static_cast<uint16_t>(75 + below(30));
    switch (below(4)) {
      case 0:
        return PortRange();
      case 1:
        return {1, 65535};
      case 2:
        return {first, static_cast<uint16_t>(first + below(12))};
      default:
        return first;
    }
  }
  Protocol protocol() {
    constexpr Protocol kAll[] = {Protocol::kTcp, Protocol::kUdp, Protocol::kAny};
    return kAll[below(3)];
  }
  // None of which it would be uncertain which is the more specific.
  std::vector<Rule> rules(size_t most) {
    std::vector<Rule> rules;
    for (size_t i = 0; i < most; ++i) {
      const Rule rule{prefix(), protocol(), ports(), static_cast<uint32_t>(rules.size())};
      bool ambiguous = false;
      for (const Rule& other : rules) {
        ambiguous =
            ambiguous || (other.address == rule.address && other.protocol == rule.protocol &&
                          other.ports.size() == rule.ports.size() && other.ports.overlaps(rule.ports));
      }
      if (!ambiguous) {
        rules.push_back(rule);
      }
    }
    return rules;
  }
  FlowKey flow() {
    FlowKey flow;
    flow.destination = address();
    constexpr Protocol kAll[] = {Protocol::kTcp, Protocol::kUdp, static_cast<Protocol>(50),
                                 static_cast<Protocol>(132)};
    flow.protocol = kAll[below(4)];
    if (flow.protocol == Protocol::kTcp || flow.protocol == Protocol::kUdp) {
      flow.destination_port = Be16(below(20) == 0 ? uint16_t{0} : port());
    }
    return flow;
  }

 private:
  std::mt19937_64 random_;
};

TEST(WideServices, TheMostSpecificOfAllThatMatch) {
  int found = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed);
    const std::vector<Rule> rules = world.rules(seed % 3 == 0 ? 300 : seed);
    const WideServices wide(rules, std::pmr::get_default_resource());
    EXPECT_EQ(wide.empty(), rules.empty());
    for (int i = 0; i < 3000; ++i) {
      const FlowKey flow = world.flow();
      const Rule* const best = best_of(rules, flow);
      ASSERT_EQ(wide.find(flow), best == nullptr ? WideServices::kNone : best->service)
          << flow.destination.to_string() << " port " << flow.destination_port.host();
      found += best != nullptr ? 1 : 0;
      bool some = false;
      for (const Rule& rule : rules) {
        some = some || holds(rule.address, flow.destination);
      }
      ASSERT_EQ(wide.has_address(flow.destination), some);
    }
  }
  EXPECT_GT(found, 50'000);
}

TEST(WideServices, VisitsAllThatHoldAnAddressTheLongestFirst) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed);
    const std::vector<Rule> rules = world.rules(100);
    const WideServices wide(rules, std::pmr::get_default_resource());
    for (int i = 0; i < 300; ++i) {
      const IpAddress address = world.address();
      size_t expected = 0;
      for (const Rule& rule : rules) {
        expected += holds(rule.address, address) ? 1 : 0;
      }
      size_t visited = 0;
      uint8_t length = IpPrefix::kBits;
      wide.visit(address, [&](uint32_t service) {
        EXPECT_TRUE(holds(rules[service].address, address));
        EXPECT_LE(rules[service].address.length, length);
        length = rules[service].address.length;
        return ++visited == 3;
      });
      ASSERT_EQ(visited, std::min<size_t>(expected, 3));
    }
  }
}

// With services of one address, protocol and port among them, which come first.
TEST(ServiceIndex, AnExactServiceComesBeforeTheWideOnes) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed);
    const std::vector<Rule> rules = world.rules(150);
    std::vector<ServiceIndex::Service> services;
    for (const Rule& rule : rules) {
      ServiceView view;
      view.id = rule.service + 1;
      services.push_back({rule.address, rule.protocol, rule.ports, view});
    }
    const ServiceIndex index(services, std::pmr::get_default_resource());
    EXPECT_EQ(index.size(), rules.size());
    for (int i = 0; i < 2000; ++i) {
      const FlowKey flow = world.flow();
      const Rule* best = best_of(rules, flow);
      for (const Rule& rule : rules) {
        const bool exact = rule.address.is_single() && rule.ports.is_single() &&
                           rule.protocol == flow.protocol && rule.address.address == flow.destination &&
                           rule.ports.first == flow.destination_port.host();
        best = exact ? &rule : best;
      }
      const ServiceView* const view = index.find(flow);
      ASSERT_EQ(view == nullptr ? 0 : view->id, best == nullptr ? 0 : best->service + 1);
    }
  }
}

TEST(ServiceIndex, PingsAreAskedOfTheAddressThenOfTheLongestPrefix) {
  const auto service = [](const char* prefix, bool forward) {
    ServiceIndex::Service one{IpPrefix::parse(prefix).value(), Protocol::kTcp, PortRange(80), {}};
    one.options.forward_ping = forward;
    return one;
  };
  const ServiceIndex index(std::vector{service("198.51.100.0/24", true), service("198.51.100.0/28", false),
                                       service("198.51.100.1", false), service("198.51.100.99", true),
                                       service("2001:db8::/64", true)},
                           std::pmr::get_default_resource());
  const auto wants = [&](const char* address) {
    return index.wants_ping(IpAddress::parse(address).value()) != nullptr;
  };
  EXPECT_TRUE(wants("198.51.100.100"));
  EXPECT_FALSE(wants("198.51.100.2")) << "of the longer prefix";
  EXPECT_FALSE(wants("198.51.100.1"));
  EXPECT_TRUE(wants("198.51.100.99"));
  EXPECT_TRUE(wants("2001:db8::7"));
  EXPECT_FALSE(wants("198.51.101.1"));
  EXPECT_FALSE(wants("2001:db8:0:1::"));
}

}  // namespace
}  // namespace maglb
