#include "lib/net/address.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

TEST(IpAddress, ReadsAndWritesBothFamilies) {
  for (const char* text : {"0.0.0.0", "198.51.100.1", "255.255.255.255", "::", "2001:db8::1", "fe80::1:2"}) {
    const auto address = IpAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(IpAddress, KnowsTheFamily) {
  EXPECT_TRUE(IpAddress::parse("10.0.0.1")->is_v4());
  EXPECT_FALSE(IpAddress::parse("2001:db8::1")->is_v4());
  EXPECT_FALSE(IpAddress{}.is_v4());
}

TEST(IpAddress, AMappedAddressIsItsIpv4Address) {
  EXPECT_EQ(*IpAddress::parse("::ffff:10.0.0.1"), *IpAddress::parse("10.0.0.1"));
}

TEST(IpAddress, RefusesWhatIsNone) {
  for (const std::string_view text : {"", "10.0.0", "10.0.0.256", "10.0.0.1/24", " 10.0.0.1", "10.0.0.1 ",
                                      "010.0.0.1", "2001:db8:::1", "fe80::1%eth0", "web"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("10.0.0.1\0x", 10)));
}

TEST(IpAddress, KnowsSpecialAddresses) {
  EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
  EXPECT_TRUE(IpAddress::parse("::")->is_unspecified());
  EXPECT_TRUE(IpAddress::parse("224.0.0.1")->is_multicast());
  EXPECT_TRUE(IpAddress::parse("ff02::1")->is_multicast());
  EXPECT_TRUE(IpAddress::parse("127.9.9.9")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
  EXPECT_FALSE(IpAddress::parse("10.0.0.1")->is_multicast());
}

TEST(IpAddress, Ipv4SurvivesTheWire) {
  const Be32 wire(0xc6336401);
  EXPECT_EQ(IpAddress::v4(wire).to_string(), "198.51.100.1");
  EXPECT_EQ(IpAddress::v4(wire).to_v4(), wire);
}

TEST(MacAddress, ReadsAndWrites) {
  EXPECT_EQ(MacAddress::parse("02:00:5E:00:aa:01")->to_string(), "02:00:5e:00:aa:01");
  for (const char* text :
       {"", "02:00:5e:00:aa", "02:00:5e:00:aa:0g", "02-00-5e-00-aa-01", "02:00:5e:00:aa:01:"}) {
    EXPECT_FALSE(MacAddress::parse(text)) << text;
  }
}

}  // namespace
}  // namespace maglb
