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

}  // namespace
}  // namespace maglb
