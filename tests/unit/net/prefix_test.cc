#include "lib/net/prefix.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

IpAddress address(std::string_view text) {
  return *IpAddress::parse(text);
}

IpPrefix prefix(std::string_view text) {
  return *IpPrefix::parse(text);
}

TEST(PrefixTest, ReadsAndWritesBothFamilies) {
  for (const char* text : {"10.0.0.0/24", "0.0.0.0/0", "10.0.0.7/32", "2001:db8::/64", "::/0",
                           "2001:db8::1/128", "192.0.2.128/25", "2001:db8:8000::/33"}) {
    const auto read = IpPrefix::parse(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(read->to_string(), text);
  }
  EXPECT_EQ(prefix("10.0.0.7").to_string(), "10.0.0.7/32");
  EXPECT_EQ(prefix("2001:db8::1").to_string(), "2001:db8::1/128");
  EXPECT_TRUE(prefix("10.0.0.7").is_single());
}

TEST(PrefixTest, RefusesEverythingElse) {
  for (const char* text : {"", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ",
                           " 10.0.0.0/8", "10.0.0.0/0x8", "10.0.0.0/24/24", "10.0.0/24", "10.0.0.1/24",
                           "2001:db8::/129", "2001:db8::1/64", "::/1000000000000", "a/8"}) {
    EXPECT_FALSE(IpPrefix::parse(text)) << text;
  }
  EXPECT_NE(IpPrefix::parse("10.0.0.1/24").error().message.find("10.0.0.0/24"), std::string::npos);
}

TEST(PrefixTest, HoldsItsAddressesOnly) {
  EXPECT_TRUE(prefix("10.0.0.0/24").contains(address("10.0.0.0")));
  EXPECT_TRUE(prefix("10.0.0.0/24").contains(address("10.0.0.255")));
  EXPECT_FALSE(prefix("10.0.0.0/24").contains(address("10.0.1.0")));
  EXPECT_TRUE(prefix("2001:db8::/61").contains(address("2001:db8:0:7::1")));
  EXPECT_FALSE(prefix("2001:db8::/61").contains(address("2001:db8:0:8::1")));
}

TEST(PrefixTest, HoldsOneFamilyOnly) {
  EXPECT_FALSE(prefix("::/0").contains(address("10.0.0.1")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(address("2001:db8::1")));
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(address("203.0.113.9")));
  EXPECT_FALSE(prefix("::/0").overlaps(prefix("0.0.0.0/0")));
}

TEST(PrefixTest, ContainsLongerPrefixes) {
  EXPECT_TRUE(prefix("10.0.0.0/8").contains(prefix("10.1.0.0/16")));
  EXPECT_FALSE(prefix("10.1.0.0/16").contains(prefix("10.0.0.0/8")));
  EXPECT_TRUE(prefix("10.1.0.0/16").overlaps(prefix("10.0.0.0/8")));
  EXPECT_FALSE(prefix("10.1.0.0/16").overlaps(prefix("10.2.0.0/16")));
}

}  // namespace
}  // namespace maglb
