#include "dataplane/next_hops.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

TEST(NextHops, ANewOneHasNothingOfWhoHadItsIndexBefore) {
  NextHopTable table(4);
  const auto hops = NextHops::create({{"uplink", 1, std::nullopt}}, table);
  ASSERT_TRUE(hops) << hops.error().message;
  const NextHop former{*MacAddress::parse("02:00:00:00:00:07"), 0};
  table.set(0, former);  // as release() leaves it
  ASSERT_EQ(*(*hops)->acquire(*IpAddress::parse("192.0.2.1"), ForwardMode::kIpip), 0u);
  EXPECT_EQ(table.get(0), std::nullopt);
}

TEST(NextHops, AWordHasRoomForSoManyLinks) {
  NextHopTable table(4);
  const NextHops::Link link{"link", 0, MacAddress::parse("02:00:00:00:00:07").value()};
  EXPECT_TRUE(NextHops::create(std::vector(NextHops::kMaxLinks, link), table));
  const auto refused = NextHops::create(std::vector(NextHops::kMaxLinks + 1, link), table);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid);
}

TEST(NextHops, ALinkWithAnInterfaceThatIsNotThereTakesNothing) {
  NextHopTable table(4);
  const MacAddress router = *MacAddress::parse("02:00:00:00:00:07");
  const auto hops = NextHops::create(
      {{"absent.5", 0, router, "no-such.5"}, {"tap", 0, router}, {"other", 0, router}}, table);
  ASSERT_TRUE(hops) << hops.error().message;
  const uint32_t index = *(*hops)->acquire(*IpAddress::parse("2001:db8::1"), ForwardMode::kIpip);
  EXPECT_EQ(table.get(index), (NextHop{router, 1}));
}

}  // namespace
}  // namespace maglb
