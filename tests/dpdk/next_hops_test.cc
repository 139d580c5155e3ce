#include "dataplane/next_hops.h"

#include <gtest/gtest.h>

namespace maglb {
namespace {

constexpr int kLoopback = 1;  // an interface that every network namespace has

TEST(NextHops, AnIndexThatIsGivenOutAgainLeadsNowhereUntilTheKernelHasAnswered) {
  NextHopTable table(8);
  auto hops = NextHops::create({{"uplink", kLoopback, std::nullopt}}, table);
  ASSERT_TRUE(hops) << hops.error().message;
  const auto former = (*hops)->acquire(IpAddress::v4({192, 0, 2, 1}), ForwardMode::kL2);
  ASSERT_TRUE(former);
  table.set(*former, {MacAddress{{2, 0, 0, 0, 0, 1}}, 0});  // as if its neighbour had answered
  (*hops)->release(*former);
  const auto next = (*hops)->acquire(IpAddress::v4({192, 0, 2, 2}), ForwardMode::kL2);
  ASSERT_TRUE(next);
  ASSERT_EQ(*next, *former);
  EXPECT_FALSE(table.get(*next));
}

}  // namespace
}  // namespace maglb
