#include "lib/lb/rewrite.h"

#include <gtest/gtest.h>

#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::checksum_of;
using testing::Frame;
using testing::read16;
using testing::Rig;

Frame web() {
  return Frame().from("192.0.2.1", 40000).to("198.51.100.1", 80).tcp("A");
}
Frame web_l2() {
  return Frame().from("192.0.2.1", 40000).to("198.51.100.1", 81).tcp("A");
}
Bytes part(const Bytes& bytes, size_t from, size_t size) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(from),
          bytes.begin() + static_cast<std::ptrdiff_t>(from + size)};
}
const Bytes kTunnelSource = {10, 0, 0, 2};

TEST(Rewrite, EncapsulatesAsRfc2003Says) {
  Rig rig;
  const Bytes in = web().payload(100).tos(0xb9).dont_fragment().ttl(3).bytes();
  const auto out = rig.run(in);
  ASSERT_EQ(out.verdict, Verdict::kSend);
  EXPECT_EQ(out.out_port, 1);
  ASSERT_EQ(out.frame.size(), in.size() + 20);
  EXPECT_EQ(part(out.frame, 0, 14), (Bytes{2, 1, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0xbb, 8, 0}));
  EXPECT_EQ(part(out.frame, 34, in.size() - 14), part(in, 14, in.size() - 14)) << "inner, bit for bit";
  EXPECT_EQ(out.frame[14], 0x45);
  EXPECT_EQ(out.frame[15], 0xb9);
  EXPECT_EQ(read16(out.frame, 16), in.size() - 14 + 20);
  EXPECT_EQ(read16(out.frame, 18), 0);
  EXPECT_EQ(read16(out.frame, 20), 0x4000);
  EXPECT_EQ(out.frame[22], 64);
  EXPECT_EQ(out.frame[23], 4);
  EXPECT_EQ(checksum_of(out.frame.data() + 14, 20), 0);
  EXPECT_EQ(part(out.frame, 26, 4), kTunnelSource);
  EXPECT_EQ(part(out.frame, 30, 4), (Bytes{10, 0, 1, 11}));
  EXPECT_TRUE(rig.counters_add_up());
}

struct TunnelCase {
  const char* name;
  const char* from;
  const char* to;
  const char* backend;
  Bytes ethernet_type;
  Bytes outer;
};

// 60 bytes of IPv4 (DF, TOS 0xb9) or 80 of IPv6 (traffic class 0xb9), TCP with 20 bytes of payload.
const TunnelCase kTunnelCases[] = {
    {"4in4", "192.0.2.1", "198.51.100.1", "10.0.1.11", {0x08, 0x00}, {0x45, 0xb9, 0x00, 0x50, 0x00,
                                                                      0x00, 0x40, 0x00, 0x40, 0x04,
                                                                      0x24, 0xe5, 10,   0,    0,
                                                                      2,    10,   0,    1,    11}},
    {"6in4", "2001:db8:9::1", "2001:db8:100::1", "10.0.1.11", {0x08, 0x00}, {0x45, 0xb9, 0x00, 0x64, 0x00,
                                                                             0x00, 0x40, 0x00, 0x40, 0x29,
                                                                             0x24, 0xac, 10,   0,    0,
                                                                             2,    10,   0,    1,    11}},
    {"4in6",
     "192.0.2.1",
     "198.51.100.1",
     "2001:db8:1::11",
     {0x86, 0xdd},
     {0x6b, 0x90, 0x00, 0x00, 0x00, 0x3c, 0x04, 0x40,                             //
      0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0x02,  //
      0x20, 0x01, 0x0d, 0xb8, 0x00, 0x01, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x11}},
    {"6in6",
     "2001:db8:9::1",
     "2001:db8:100::1",
     "2001:db8:1::11",
     {0x86, 0xdd},
     {0x6b, 0x90, 0x00, 0x00, 0x00, 0x50, 0x29, 0x40,                             //
      0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,    0, 0, 0, 0, 0, 0, 0, 0x02,  //
      0x20, 0x01, 0x0d, 0xb8, 0x00, 0x01, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x11}},
};

TEST(Rewrite, WritesEveryOuterHeaderByteForByte) {
  for (const TunnelCase& c : kTunnelCases) {
    SCOPED_TRACE(c.name);
    Rig rig;
    rig.addresses[0] = IpAddress::parse(c.backend).value();
    rig.publish();
    const Bytes in = Frame()
                         .from(c.from, 40000)
                         .to(c.to, 80)
                         .tcp("A")
                         .tos(0xb9)
                         .dont_fragment()
                         .payload(20)
                         .padding(4)
                         .bytes();
    const auto out = rig.run(in, 0, static_cast<uint16_t>(c.outer.size()));
    ASSERT_EQ(out.verdict, Verdict::kSend);
    ASSERT_EQ(out.frame.size(), in.size() - 4 + c.outer.size());
    EXPECT_EQ(part(out.frame, 0, 12), (Bytes{2, 1, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0xbb}));
    EXPECT_EQ(part(out.frame, 12, 2), c.ethernet_type);
    Bytes outer = part(out.frame, 14, c.outer.size());
    if (outer.size() == 40) {  // the flow label is the flow's own, and never 0
      EXPECT_NE(Bytes({static_cast<uint8_t>(outer[1] & 0xf), outer[2], outer[3]}), (Bytes{0, 0, 0}));
      outer[1] &= 0xf0;
      outer[2] = outer[3] = 0;
    }
    EXPECT_EQ(outer, c.outer);
    EXPECT_EQ(part(out.frame, 14 + c.outer.size(), in.size() - 18), part(in, 14, in.size() - 18));
    if (c.outer.size() == 20) {
      EXPECT_EQ(checksum_of(c.outer.data(), 20), 0) << "the expectation itself";
    }
    EXPECT_EQ(rig.run(in, 0, static_cast<uint16_t>(c.outer.size() - 1)).verdict, Verdict::kDrop);
    EXPECT_EQ(rig.dropped(DropReason::kNoHeadroom), 1u);
    // Without a tunnel source of the backend's family there is no tunnel.
    (c.outer.size() == 20 ? rig.worker().tunnel_source : rig.worker().tunnel_source_v6) = IpAddress{};
    EXPECT_EQ(rig.run(in).verdict, Verdict::kDrop);
    EXPECT_EQ(rig.dropped(DropReason::kNoTunnelSource), 1u);
    EXPECT_TRUE(rig.counters_add_up());
  }
}

TEST(Rewrite, ReaddressesIpv6ForL2AndNothingElse) {
  Rig rig;
  const Bytes in =
      Frame().from("2001:db8:9::1", 1).to("2001:db8:100::1", 81).tcp("A").payload(9).ttl(1).bytes();
  const auto out = rig.run(in, 0, 0);
  ASSERT_EQ(out.verdict, Verdict::kSend);
  EXPECT_EQ(part(out.frame, 0, 14), (Bytes{2, 1, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0xbb, 0x86, 0xdd}));
  EXPECT_EQ(part(out.frame, 14, in.size() - 14), part(in, 14, in.size() - 14));
}

TEST(Rewrite, CountsOuterIdsWhereDontFragmentIsClear) {
  Rig rig;
  rig.worker().next_ip_id = 0xffff;
  for (const uint16_t id : {0xffff, 0, 1}) {
    const auto out = rig.run(web().bytes());
    EXPECT_EQ(read16(out.frame, 18), id);
    EXPECT_EQ(read16(out.frame, 20), 0);
    EXPECT_EQ(checksum_of(out.frame.data() + 14, 20), 0);
    EXPECT_EQ(read16(rig.run(web().dont_fragment().bytes()).frame, 18), 0);
  }
}

TEST(Rewrite, LeavesEthernetPaddingBehind) {
  Rig rig;
  const auto tunnelled = rig.run(web().padding(6).bytes());
  EXPECT_EQ(tunnelled.frame.size(), 14u + 20 + 40);
  EXPECT_EQ(read16(tunnelled.frame, 16), 60);
  EXPECT_EQ(rig.run(web_l2().padding(6).bytes()).frame.size(), 54u);
}

TEST(Rewrite, ReaddressesTheFrameForL2AndNothingElse) {
  Rig rig;
  const Bytes in = web_l2().payload(11).ttl(1).bytes();
  const auto out = rig.run(in, 0, 0);
  ASSERT_EQ(out.verdict, Verdict::kSend);
  EXPECT_EQ(part(out.frame, 0, 14), (Bytes{2, 1, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0xbb, 8, 0}));
  EXPECT_EQ(part(out.frame, 14, in.size() - 14), part(in, 14, in.size() - 14));
}

TEST(Rewrite, AnswersFromTheMacItWasSentToWhereAnyMacIsTaken) {
  Rig rig;
  rig.ports[0].any_mac = rig.ports[1].any_mac = true;
  const auto out = rig.run(web_l2().to_mac({2, 7, 7, 7, 7, 7}).bytes());
  EXPECT_EQ(part(out.frame, 6, 6), (Bytes{2, 7, 7, 7, 7, 7}));
}

TEST(Rewrite, DropsWhatItCannotSend) {
  Rig rig;
  EXPECT_EQ(rig.run(web().bytes(), 0, 19).verdict, Verdict::kDrop);
  EXPECT_EQ(rig.dropped(DropReason::kNoHeadroom), 1u);
  EXPECT_EQ(rig.run(web().bytes(), 0, 20).verdict, Verdict::kSend);
  rig.next_hops.set(0, {Rig::mac_of(0, true), 7});
  EXPECT_EQ(rig.run(web().bytes()).verdict, Verdict::kDrop);
  rig.next_hops.clear(0);
  EXPECT_EQ(rig.run(web().bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(rig.dropped(DropReason::kNoNextHop), 2u);
  EXPECT_EQ(rig.run(web_l2().bytes()).verdict, Verdict::kSend) << "has a next hop of its own";
  rig.worker().tunnel_source = IpAddress{};
  EXPECT_EQ(rig.run(web().bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(rig.dropped(DropReason::kNoTunnelSource), 1u);
  EXPECT_TRUE(rig.counters_add_up());
}

}  // namespace
}  // namespace maglb
