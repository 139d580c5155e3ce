#include "lib/snapshot/view/service_extra.h"

#include <gtest/gtest.h>

#include <random>

namespace maglb {
namespace {

IpAddress random_address(std::mt19937_64& random) {
  if (random() % 2 == 0) {
    return IpAddress::v4({10, 0, static_cast<uint8_t>(random() % 4), static_cast<uint8_t>(random())});
  }
  IpAddress address{{0x20, 1, 0xd, 0xb8}};
  address.bytes[5] = static_cast<uint8_t>(random() % 4);
  address.bytes[15] = static_cast<uint8_t>(random());
  return address;
}

std::vector<IpPrefix> random_prefixes(std::mt19937_64& random) {
  std::vector<IpPrefix> prefixes;
  for (uint64_t count = random() % 12; count > 0; --count) {
    const IpAddress address = random_address(random);
    const uint64_t least = address.is_v4() ? 96 : 0;
    const auto length = static_cast<uint8_t>(least + random() % (129 - least));
    prefixes.push_back({masked(address, length), length});
  }
  return prefixes;
}

// The longest prefix of both lists that holds a client decides; of one in both, the one to deny; one that
// none holds is let in, unless there is an allow list.
bool plainly_allowed(const ServiceOptions& options, const IpAddress& client) {
  int allow = -1;
  int deny = -1;
  for (const IpPrefix& prefix : options.source_allow) {
    allow = prefix.contains(client) ? std::max<int>(allow, prefix.length) : allow;
  }
  for (const IpPrefix& prefix : options.source_deny) {
    deny = prefix.contains(client) ? std::max<int>(deny, prefix.length) : deny;
  }
  return allow == -1 && deny == -1 ? options.source_allow.empty() : allow > deny;
}

TEST(SourceFilter, DecidesAsItIsSaid) {
  int allowed = 0;
  int denied = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    ServiceOptions options;
    options.source_allow = random_prefixes(random);
    options.source_deny = random_prefixes(random);
    if (!options.source_allow.empty() && random() % 2 == 0) {
      options.source_deny.push_back(options.source_allow[0]);  // in both lists
    }
    const SourceFilter filter(options, std::pmr::get_default_resource());
    for (int i = 0; i < 300; ++i) {
      const IpAddress client = random_address(random);
      const bool expected = plainly_allowed(options, client);
      ASSERT_EQ(filter.allows(client), expected) << client.to_string();
      ++(expected ? allowed : denied);
    }
  }
  EXPECT_GT(allowed, 10'000);
  EXPECT_GT(denied, 10'000);
}

TEST(SourceFilter, HoldsListsOfTheLargestSize) {
  ServiceOptions options;
  for (uint32_t i = 0; i < kMaxSourcePrefixes; ++i) {
    const auto address = [i](uint8_t first) {
      return IpAddress::v4(
          {first, static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)});
    };
    options.source_allow.emplace_back(address(10));
    options.source_deny.emplace_back(address(11));
  }
  const SourceFilter filter(options, std::pmr::get_default_resource());
  EXPECT_TRUE(filter.allows(IpAddress::v4({10, 0, 195, 79})));
  EXPECT_FALSE(filter.allows(IpAddress::v4({10, 0, 195, 80})));
  EXPECT_FALSE(filter.allows(IpAddress::v4({11, 0, 0, 0})));
}

TEST(ServiceExtra, CarriesEveryOption) {
  ServiceOptions options;
  options.gue_port = 7000;
  options.udp_checksum = true;
  options.gre_key = 0;
  options.backend_port = 8080;
  options.proxy_protocol = true;
  options.mss = 1400;
  options.forward_ping = true;
  options.oversize = Oversize::kInner;
  options.quic = {{3, 2, 6}};
  const ServiceExtra extra(options, std::pmr::get_default_resource());
  EXPECT_EQ(extra.gue_port, 7000);
  EXPECT_TRUE(extra.udp_checksum && extra.proxy_protocol && extra.forward_ping);
  EXPECT_TRUE(extra.has_gre_key) << "a key of zero is one";
  EXPECT_EQ(extra.gre_key, 0u);
  EXPECT_EQ(extra.backend_port, 8080);
  EXPECT_EQ(extra.mss, 1400);
  EXPECT_EQ(extra.oversize, Oversize::kInner);
  EXPECT_FALSE(extra.has_filter);
  ASSERT_EQ(extra.quic.size(), 1u);
  EXPECT_EQ(extra.quic[0], options.quic[0]);
  options.source_deny = {IpPrefix::parse("10.0.0.0/8").value()};
  EXPECT_TRUE(ServiceExtra(options, std::pmr::get_default_resource()).has_filter);
}

}  // namespace
}  // namespace maglb
