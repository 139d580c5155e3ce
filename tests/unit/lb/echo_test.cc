// Pings: their budget and the link they came by. What an answer looks like is in tests/golden/test_ping.py.
#include "lib/lb/echo.h"

#include <gtest/gtest.h>

#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::Frame;
using testing::Rig;

// The headers of Frame's UDP are as long as those of an echo request.
Bytes ping(const std::string& client, const std::string& service = "198.51.100.1") {
  const bool v6 = service.find(':') != std::string::npos;
  Bytes frame = Frame().from(client, 0).to(service, 0).udp().payload(56).protocol(v6 ? 58 : 1).bytes();
  const size_t icmp = v6 ? 54 : 34;
  frame[icmp] = v6 ? 128 : 8;
  frame[icmp + 1] = 0;
  return frame;
}

TEST(Echo, EachSourceHasItsBudget) {
  Rig rig;
  constexpr uint64_t kBurst = 500;
  constexpr uint64_t kRate = 1000;
  for (uint64_t i = 0; i < kBurst + 100; ++i) {
    rig.run(ping("192.0.2.1"));
  }
  EXPECT_EQ(rig.events(Event::kEchoesAnswered), kBurst);
  EXPECT_EQ(rig.dropped(DropReason::kEchoLimit), 100u);
  // Others are answered, but for the few that share its bucket of 256.
  int answered = 0;
  for (int i = 2; i < 202; ++i) {
    answered += rig.run(ping("192.0.2." + std::to_string(i))).verdict == Verdict::kSend ? 1 : 0;
  }
  EXPECT_GE(answered, 190);
  const uint64_t before = rig.events(Event::kEchoesAnswered);
  for (uint64_t i = 0; i < 2 * kRate; ++i) {
    rig.now += std::chrono::milliseconds(1);
    rig.run(ping("192.0.2.1"));
  }
  EXPECT_NEAR(static_cast<double>(rig.events(Event::kEchoesAnswered) - before), 2.0 * kRate, 2);
  EXPECT_TRUE(rig.counters_add_up());
}

TEST(Echo, WhatIsNotAServicesTakesNoBudget) {
  Rig rig;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(rig.run(ping("192.0.2.1", "198.51.100.77")).verdict, Verdict::kKernel);
  }
  EXPECT_EQ(rig.run(ping("192.0.2.1")).verdict, Verdict::kSend);
}

TEST(Echo, TheAnswerLeavesByTheLinkOfTheRequest) {
  for (const auto* service : {"198.51.100.1", "2001:db8:100::1"}) {
    Rig rig;
    rig.ports[1].port = 0;
    rig.ports[1].vlan_inner = 7;
    Bytes tagged = ping(service[3] == '.' ? "192.0.2.1" : "2001:db8:c::1", service);
    const Bytes tag = {0x81, 0x00, 0xe0, 0x07};  // with a priority
    tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
    const auto sent = rig.run(tagged);
    ASSERT_EQ(sent.verdict, Verdict::kSend);
    EXPECT_EQ(sent.out_port, 0);
    EXPECT_EQ(Bytes(sent.frame.begin(), sent.frame.begin() + 6), (Bytes{2, 0, 0, 0, 0, 0xcc}));
    EXPECT_EQ(Bytes(sent.frame.begin() + 6, sent.frame.begin() + 12), (Bytes{2, 0, 0, 0, 0, 0xaa}));
    EXPECT_EQ(Bytes(sent.frame.begin() + 12, sent.frame.begin() + 16), tag);
    rig.ports[1].vlan_inner = 8;
    EXPECT_EQ(rig.run(tagged).verdict, Verdict::kKernel) << "a VLAN that is not ours";
  }
}

TEST(Echo, NeedsNoHeadroomAndNoTailroom) {
  Rig rig;
  EXPECT_EQ(rig.run(ping("192.0.2.1"), 0, 0, 0).verdict, Verdict::kSend);
}

TEST(Echo, ForwardedByTheTableAndNeverRemembered) {
  Rig rig(2);
  rig.tcp_options.forward_ping = true;
  rig.publish();
  EXPECT_EQ(Rig::place_of(rig.run(ping("192.0.2.1"))), 0);
  rig.slots = {2};
  rig.publish();
  EXPECT_EQ(Rig::place_of(rig.run(ping("192.0.2.1"))), 2);
  EXPECT_EQ(rig.table().size(), 0u);
  EXPECT_EQ(rig.events(Event::kForeignLookups), 0u);
  rig.slots = {kNoBackend};
  rig.publish();
  EXPECT_EQ(rig.run(ping("192.0.2.1")).verdict, Verdict::kDrop);
  EXPECT_EQ(rig.dropped(DropReason::kNoBackend), 1u);
  EXPECT_EQ(rig.events(Event::kEchoesAnswered), 0u);
  EXPECT_TRUE(rig.counters_add_up());
}

TEST(Echo, IsForwardedForWhomTheServiceTakesOnly) {
  Rig rig;
  rig.tcp_options.forward_ping = true;
  rig.tcp_options.source_deny = {IpPrefix::parse("192.0.2.0/24").value()};
  rig.publish();
  EXPECT_EQ(rig.run(ping("192.0.2.1")).verdict, Verdict::kDrop);
  EXPECT_EQ(rig.dropped(DropReason::kSourceDenied), 1u);
  EXPECT_EQ(rig.run(ping("203.0.113.1")).verdict, Verdict::kSend);
  EXPECT_EQ(rig.run(ping("10.0.0.2")).verdict, Verdict::kDrop);  // our own tunnel's source
  EXPECT_EQ(rig.dropped(DropReason::kLoop), 1u);
  EXPECT_TRUE(rig.counters_add_up());
}

}  // namespace
}  // namespace maglb
