#include "lib/net/prefix_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace maglb {
namespace {

using Inputs = std::vector<PrefixMap::Input>;

IpAddress address(std::string_view text) {
  return *IpAddress::parse(text);
}

Inputs inputs(std::initializer_list<std::pair<const char*, uint32_t>> texts) {
  Inputs some;
  for (const auto& [text, value] : texts) {
    some.emplace_back(*IpPrefix::parse(text), value);
  }
  return some;
}

PrefixMap map_of(const Inputs& prefixes) {
  return PrefixMap(prefixes, std::pmr::new_delete_resource());
}

std::vector<uint32_t> all(const PrefixMap& map, const IpAddress& address) {
  std::vector<uint32_t> values;
  map.visit(address, [&](const IpPrefix& prefix, uint32_t value) {
    EXPECT_TRUE(prefix.contains(address)) << prefix.to_string();
    values.push_back(value);
    return false;
  });
  return values;
}

// Everything, one after the other.
std::vector<uint32_t> naive_all(const Inputs& prefixes, const IpAddress& address) {
  Inputs holding;
  for (const auto& input : prefixes) {
    if (input.first.contains(address)) {
      holding.push_back(input);
    }
  }
  std::stable_sort(holding.begin(), holding.end(),
                   [](const auto& a, const auto& b) { return a.first.length > b.first.length; });
  std::vector<uint32_t> values;
  for (const auto& input : holding) {
    values.push_back(input.second);
  }
  return values;
}

void expect_like_naive(const PrefixMap& map, const Inputs& prefixes, const IpAddress& address) {
  const std::vector<uint32_t> expected = naive_all(prefixes, address);
  ASSERT_EQ(all(map, address), expected) << address.to_string();
  const auto found = map.find(address);
  ASSERT_EQ(found.has_value(), !expected.empty()) << address.to_string();
  if (found) {
    ASSERT_EQ(*found, expected[0]) << address.to_string();
  }
}

TEST(PrefixMap, FindsTheLongest) {
  const auto map =
      map_of(inputs({{"10.0.0.0/8", 8}, {"10.1.0.0/16", 16}, {"10.1.2.3", 32}, {"2001:db8::/32", 6}}));
  EXPECT_EQ(map.find(address("10.1.2.3")), 32u);
  EXPECT_EQ(map.find(address("10.1.2.4")), 16u);
  EXPECT_EQ(map.find(address("10.1.255.255")), 16u);
  EXPECT_EQ(map.find(address("10.2.0.0")), 8u);
  EXPECT_EQ(map.find(address("11.0.0.0")), std::nullopt);
  EXPECT_EQ(map.find(address("9.255.255.255")), std::nullopt);
  EXPECT_EQ(map.find(address("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")), 6u);
  EXPECT_EQ(map.find(address("2001:db9::")), std::nullopt);
  EXPECT_EQ(map.size(), 4u);
}

TEST(PrefixMap, KeepsTheFamiliesApart) {
  const auto everything_v6 = map_of(inputs({{"::/0", 6}}));
  EXPECT_EQ(everything_v6.find(address("10.0.0.1")), std::nullopt);
  EXPECT_EQ(everything_v6.find(address("::fffe:ffff:ffff")), 6u);
  const auto everything_v4 = map_of(inputs({{"0.0.0.0/0", 4}}));
  EXPECT_EQ(everything_v4.find(address("2001:db8::1")), std::nullopt);
  EXPECT_EQ(everything_v4.find(address("::1:0:0:0")), std::nullopt);
  EXPECT_EQ(everything_v4.find(address("255.255.255.255")), 4u);
  const auto both = map_of(inputs({{"::/0", 6}, {"0.0.0.0/0", 4}}));
  EXPECT_EQ(both.find(address("0.0.0.0")), 4u);
  EXPECT_EQ(both.find(address("::")), 6u);
  // A prefix of IPv6 around the mapped addresses holds none of them.
  const auto around = map_of({{IpPrefix{masked(address("::fffe:0:0"), 95), 95}, 95}});
  EXPECT_EQ(around.find(address("::fffe:0:0")), 95u);
  EXPECT_EQ(around.find(address("10.0.0.1")), std::nullopt);
}

TEST(PrefixMap, MayBeEmpty) {
  const auto map = map_of({});
  EXPECT_EQ(map.find(address("10.0.0.1")), std::nullopt);
  EXPECT_EQ(map.find(address("::")), std::nullopt);
  EXPECT_TRUE(all(map, address("255.255.255.255")).empty());
  EXPECT_EQ(map.size(), 0u);
}

TEST(PrefixMap, VisitsLongestFirstUntilToldToStop) {
  const auto map =
      map_of(inputs({{"0.0.0.0/0", 0}, {"10.1.0.0/16", 16}, {"10.0.0.0/8", 8}, {"10.1.0.0/17", 17}}));
  EXPECT_EQ(all(map, address("10.1.1.1")), (std::vector<uint32_t>{17, 16, 8, 0}));
  EXPECT_EQ(all(map, address("10.1.128.1")), (std::vector<uint32_t>{16, 8, 0}));
  uint32_t seen = 0;
  EXPECT_TRUE(map.visit(address("10.1.1.1"), [&](const IpPrefix& prefix, uint32_t) {
    ++seen;
    return prefix.text_length() == 16;
  }));
  EXPECT_EQ(seen, 2u);
}

TEST(PrefixMap, KeepsEqualPrefixesInTheirOrder) {
  const auto map =
      map_of(inputs({{"10.0.0.0/8", 1}, {"10.0.0.0/8", 2}, {"10.0.0.0/7", 3}, {"10.0.0.0/8", 4}}));
  EXPECT_EQ(map.find(address("10.9.9.9")), 1u);
  EXPECT_EQ(all(map, address("10.9.9.9")), (std::vector<uint32_t>{1, 2, 4, 3}));
}

TEST(PrefixMap, TakesEveryLengthAtBothEnds) {
  Inputs prefixes;
  for (const char* text : {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    for (uint8_t length = 0; length <= 128; ++length) {
      prefixes.push_back({{masked(address(text), length), length}, static_cast<uint32_t>(prefixes.size())});
    }
  }
  for (const char* text : {"0.0.0.0", "255.255.255.255"}) {
    for (uint8_t length = 96; length <= 128; ++length) {
      prefixes.push_back({{masked(address(text), length), length}, static_cast<uint32_t>(prefixes.size())});
    }
  }
  const auto map = map_of(prefixes);
  for (const char* text :
       {"::", "::1", "::2", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "7fff::", "8000::", "::1:0:0:0:0", "::ffff:ffff:ffff:ffff",
        "0.0.0.0", "0.0.0.1", "255.255.255.255", "255.255.255.254", "127.255.255.255", "128.0.0.0"}) {
    expect_like_naive(map, prefixes, address(text));
  }
  EXPECT_GE(all(map, address("::")).size(), 129u);
}

// Addresses near each other, so that prefixes nest and touch.
class RandomPrefixes {
 public:
  explicit RandomPrefixes(uint32_t seed) : random_(seed) {}

  uint32_t number(uint32_t below) { return random_() % below; }
  IpAddress near() {
    IpAddress some;
    const bool v4 = number(2) == 0;
    for (uint8_t& b : some.bytes) {
      b = number(3) == 0 ? uint8_t{0xff} : static_cast<uint8_t>(number(3) << number(8));
    }
    return v4 ? IpAddress::v4({some.bytes[0], some.bytes[1], some.bytes[2], some.bytes[3]}) : some;
  }
  IpPrefix prefix() {
    const IpAddress some = near();
    const auto length = static_cast<uint8_t>(some.is_v4() ? 96 + number(33) : number(129));
    return {masked(some, length), length};
  }

 private:
  std::mt19937 random_;
};

// One up or down, as a number of 128 bits.
IpAddress neighbour(IpAddress address, int step) {
  for (size_t i = 16; i-- > 0;) {
    address.bytes[i] = static_cast<uint8_t>(address.bytes[i] + step);
    if (address.bytes[i] != (step > 0 ? 0 : 0xff)) {
      break;
    }
  }
  return address;
}

TEST(PrefixMap, AgreesWithANaiveModel) {
  RandomPrefixes random(4632);
  for (int round = 0; round < 60; ++round) {
    Inputs prefixes;
    const uint32_t count = random.number(round < 40 ? 40 : 600);
    for (uint32_t i = 0; i < count; ++i) {
      prefixes.emplace_back(random.prefix(), i);
    }
    const auto map = map_of(prefixes);
    for (const auto& [prefix, value] : prefixes) {
      expect_like_naive(map, prefixes, prefix.address);
      expect_like_naive(map, prefixes, neighbour(prefix.address, -1));
      IpAddress last = prefix.address;
      for (uint8_t bit = prefix.length; bit < 128; ++bit) {
        last.bytes[bit / 8] = static_cast<uint8_t>(last.bytes[bit / 8] | (0x80 >> bit % 8));
      }
      expect_like_naive(map, prefixes, last);
      expect_like_naive(map, prefixes, neighbour(last, 1));
    }
    for (int i = 0; i < 200; ++i) {
      expect_like_naive(map, prefixes, random.near());
    }
    ASSERT_FALSE(HasFatalFailure()) << round;
  }
}

TEST(PrefixMap, HoldsAsManyAsItMay) {
  for (const bool v4 : {true, false}) {
    std::mt19937_64 random(100000);
    Inputs prefixes;
    while (prefixes.size() < PrefixMap::kMostPrefixes) {
      IpAddress some;
      some.bytes[0] = 0x20;
      for (size_t i = 1; i < 16; ++i) {
        some.bytes[i] = static_cast<uint8_t>(random());
      }
      if (v4) {
        some = IpAddress::v4(Be32(static_cast<uint32_t>(random())));
      }
      const auto length = static_cast<uint8_t>(v4 ? 96 + 8 + random() % 25 : 16 + random() % 113);
      prefixes.emplace_back(IpPrefix{masked(some, length), length}, static_cast<uint32_t>(prefixes.size()));
    }
    const auto map = map_of(prefixes);
    EXPECT_EQ(map.size(), PrefixMap::kMostPrefixes);
    EXPECT_LE(map.memory_bytes(), PrefixMap::kMostPrefixes * (v4 ? 46 : 73));
    for (int i = 0; i < 40; ++i) {
      expect_like_naive(map, prefixes, prefixes[random() % prefixes.size()].first.address);
      expect_like_naive(map, prefixes, IpAddress::v4(Be32(static_cast<uint32_t>(random()))));
    }
  }
}

TEST(PrefixMapDeathTest, StopsOnABugOfOurs) {
  EXPECT_DEATH(map_of(Inputs(PrefixMap::kMostPrefixes + 1)), "too many prefixes");
  EXPECT_DEATH(map_of({{IpPrefix{address("10.0.0.1"), 120}, 0}}), "bits beyond its length");
}

}  // namespace
}  // namespace maglb
