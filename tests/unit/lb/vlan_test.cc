// Links with VLAN tags, where a capture cannot show it: the room in front of a frame. What leaves by them is
// tests/golden/test_vlan.py.
#include <gtest/gtest.h>

#include "lib/lb/rewrite.h"
#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::Frame;
using testing::Rig;

struct Case {
  const char* name;
  uint16_t port;   // ipip to 80, l2 to 81
  uint16_t outer;  // of the link it leaves by
  uint16_t room;   // that the frame needs in front
};

constexpr Case kCases[] = {{"ipip, one tag", 80, 0, 20 + 4},
                           {"ipip, two tags", 80, 400, 20 + 8},
                           {"l2, one tag", 81, 0, 4},
                           {"l2, two tags", 81, 400, 8}};

Bytes tagged(const Bytes& frame) {
  Bytes result = frame;
  const uint8_t tag[] = {0x81, 0, 1, 0x2c};
  result.insert(result.begin() + 12, tag, tag + sizeof tag);
  return result;
}

void leave_by_vlan(Rig& rig, uint16_t outer) {
  rig.ports[1].vlan_inner = 300;
  rig.ports[1].vlan_outer = outer;
  rig.ports[1].port = 0;
}

TEST(Vlan, NeedsRoomForItsTags) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    Rig rig;
    leave_by_vlan(rig, c.outer);
    const Bytes in = Frame().from("192.0.2.1", 40000).to("198.51.100.1", c.port).tcp("A").bytes();
    const auto refused = rig.run(in, 0, static_cast<uint16_t>(c.room - 1));
    EXPECT_EQ(refused.verdict, Verdict::kDrop);
    EXPECT_EQ(refused.frame, in) << "nothing has changed";
    EXPECT_EQ(rig.dropped(DropReason::kNoHeadroom), 1u);
    const auto sent = rig.run(in, 0, c.room);
    EXPECT_EQ(sent.verdict, Verdict::kSend);
    EXPECT_EQ(sent.out_port, 0) << "the link's port, not its number";
    EXPECT_EQ(sent.frame.size(), in.size() + c.room);
    EXPECT_TRUE(rig.counters_add_up());
  }
}

TEST(Vlan, ATagThatGoesIsRoomForOneThatComes) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    Rig rig;
    leave_by_vlan(rig, c.outer);
    // It comes in by the link only if that has one tag.
    const Bytes in = tagged(Frame().from("192.0.2.1", 40000).to("198.51.100.1", c.port).tcp("A").bytes());
    const auto room = static_cast<uint16_t>(c.room - 4);
    const auto out = rig.run(in, 0, room);
    EXPECT_EQ(out.verdict, c.outer == 0 ? Verdict::kSend : Verdict::kKernel);
    EXPECT_EQ(out.frame.size(), in.size() + (c.outer == 0 ? room : 0));
    if (room > 0) {
      EXPECT_EQ(rig.run(in, 0, static_cast<uint16_t>(room - 1)).verdict,
                c.outer == 0 ? Verdict::kDrop : Verdict::kKernel);
    }
    EXPECT_TRUE(rig.counters_add_up());
  }
}

}  // namespace
}  // namespace maglb
