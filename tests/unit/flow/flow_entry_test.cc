#include "lib/flow/flow_entry.h"

#include <gtest/gtest.h>

#include "lib/flow/flow_digest.h"

namespace maglb {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Tick, IsNotReachedBeforeItsTimeout) {
  for (const Time now : {Time(0), Time(1), Time(milliseconds(133)), Time(seconds(1000)), Time(hours(1000))}) {
    for (const Duration timeout : {Duration(milliseconds(1)), Duration(seconds(10)), kMaxFlowTimeout}) {
      const Tick tick = Tick::after(now, timeout);
      EXPECT_FALSE(tick.reached(Tick::at(now)));
      EXPECT_FALSE(tick.reached(Tick::at(now + timeout - Duration(1))));
      EXPECT_FALSE(tick.reached(Tick::at(now + timeout)));
      EXPECT_TRUE(tick.reached(Tick::at(now + timeout + milliseconds(135))));
    }
  }
}

TEST(Tick, TellsTheOrderOverItsWrapAround) {
  const Tick before(0xfffffe);
  const Tick after(3);
  EXPECT_TRUE(before.reached(after));
  EXPECT_FALSE(after.reached(before));
  EXPECT_EQ(after.left(before), Duration(int64_t{5} << 27));
  EXPECT_EQ(before.left(after), Duration(0));
  EXPECT_EQ(Tick(0x1000003), after);
}

TEST(FlowDigest, DependsOnKeyTupleAndServiceAndIsNeverZero) {
  FlowKey flow;
  flow.source_port = Be16(1);
  FlowKey other = flow;
  other.destination_port = Be16(1);
  const SipKey key{1, 2};
  const FlowDigest digest = FlowDigest::of(key, flow, 1);
  EXPECT_EQ(digest, FlowDigest::of(key, flow, 1));
  EXPECT_FALSE(digest == FlowDigest::of(key, flow, 2));
  EXPECT_FALSE(digest == FlowDigest::of(key, other, 1));
  EXPECT_FALSE(digest == FlowDigest::of(SipKey{1, 3}, flow, 1));
  EXPECT_NE(FlowDigest(0).value(), 0u);
}

}  // namespace
}  // namespace maglb
