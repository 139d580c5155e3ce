#include "lib/lb/classify.h"

#include <gtest/gtest.h>

#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::Frame;
using testing::Rig;

Frame web() {
  return Frame().from("192.0.2.1", 40000).to("198.51.100.1", 80).tcp("S");
}
Bytes broken(Bytes frame, size_t at, uint8_t value, bool seal = true) {
  frame.at(at) = value;
  if (seal) {
    testing::write16(frame, 24, 0);
    testing::write16(frame, 24, testing::checksum_of(frame.data() + 14, 20));
  }
  return frame;
}
// Hop-by-hop options of 520 bytes.
Bytes too_long_chain() {
  Bytes frame = web().from("2001:db8::11", 1).to("2001:db8:100::1", 80).payload(600).bytes();
  frame[20] = 0;
  frame[54] = 6;
  frame[55] = 64;
  return frame;
}
Bytes cut(Bytes frame, size_t size) {
  frame.resize(size);
  return frame;
}

TEST(Classify, GivesTheKernelWhatIsNotAServices) {
  const Bytes cases[] = {
      web().to("198.51.100.1", 8080).bytes(),
      web().to("198.51.100.9", 80).bytes(),
      web().udp().bytes(),
      web().protocol(1).bytes(),
      web().to_mac({2, 9, 9, 9, 9, 9}).bytes(),
      web().to_mac({255, 255, 255, 255, 255, 255}).bytes(),
      web().to("198.51.100.9", 80).payload(4).fragment(0x2000).bytes(),
      broken(web().bytes(), 12, 0x86, false),
  };
  for (const Bytes& frame : cases) {
    Rig rig;
    const auto out = rig.run(frame);
    EXPECT_EQ(out.verdict, Verdict::kKernel);
    EXPECT_EQ(out.frame, frame) << "unchanged";
    EXPECT_TRUE(rig.counters_add_up());
  }
}

TEST(Classify, DropsEachWithItsReason) {
  const struct {
    DropReason reason;
    Bytes frame;
  } cases[] = {
      {DropReason::kTruncated, {}},
      {DropReason::kTruncated, cut(web().bytes(), 13)},
      {DropReason::kTruncated, cut(web().bytes(), 30)},
      {DropReason::kTruncated, cut(web().bytes(), 53)},
      {DropReason::kBadIpHeader, broken(web().bytes(), 14, 0x44)},
      {DropReason::kBadIpHeader, broken(web().bytes(), 14, 0x65)},
      {DropReason::kBadIpChecksum, broken(web().bytes(), 22, 9, false)},
      {DropReason::kBadL4Header, broken(web().bytes(), 46, 0x40)},
      {DropReason::kFragmentLimit, web().payload(4).fragment(0x2000).bytes()},
      {DropReason::kFragmentLimit, web().fragment(0x0010).bytes()},
      {DropReason::kBadIpHeader, web().fragment(0x2000).bytes()},
      {DropReason::kTinyFragment, web().fragment(0x0001).bytes()},
      {DropReason::kExtensionHeaders, too_long_chain()},
      {DropReason::kLoop, web().from("10.0.0.2", 40000).bytes()},
  };
  for (const auto& c : cases) {
    Rig rig;
    EXPECT_EQ(rig.run(c.frame).verdict, Verdict::kDrop);
    EXPECT_EQ(rig.dropped(c.reason), 1u) << name_of(c.reason);
    EXPECT_TRUE(rig.counters_add_up());
  }
}

TEST(Classify, CountsPacketsAndBytesOfServiceAndBackend) {
  Rig rig;
  rig.run(web().padding(6).bytes());
  rig.run(web().payload(60).bytes());
  const WorkerCounters& counters = rig.counters();
  EXPECT_EQ(counters.services[0].packets.value(), 2u);
  EXPECT_EQ(counters.services[0].bytes.value(), 140u);
  EXPECT_EQ(counters.backends[0].packets.value(), 2u);
  EXPECT_EQ(counters.backends[0].bytes.value(), 140u);
  EXPECT_EQ(counters.backends[0].new_flows.value(), 1u);
}

TEST(Counters, EveryReasonAndEventHasWords) {
  for (size_t i = 0; i < kDropReasons; ++i) {
    EXPECT_NE(name_of(static_cast<DropReason>(i)), "?");
    EXPECT_GT(explanation_of(static_cast<DropReason>(i)).size(), 10u);
  }
  for (size_t i = 0; i < kEvents; ++i) {
    EXPECT_NE(name_of(static_cast<Event>(i)), "?");
  }
}

}  // namespace
}  // namespace maglb
