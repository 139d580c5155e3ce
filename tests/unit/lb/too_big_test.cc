#include "lib/lb/too_big.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::checksum_of;
using testing::Frame;
using testing::Outcome;
using testing::read16;
using testing::Rig;

Frame web() {
  return Frame().from("192.0.2.1", 40000).to("198.51.100.1", 80).tcp("A");
}
Frame web_l2() {
  return Frame().from("192.0.2.1", 40000).to("198.51.100.1", 81).tcp("A");
}
Frame web_v6() {
  return Frame().from("2001:db8:9::1", 40000).to("2001:db8:100::1", 80).tcp("A");
}
Bytes part(const Bytes& bytes, size_t from, size_t size) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(from),
          bytes.begin() + static_cast<std::ptrdiff_t>(from + size)};
}
Bytes behind(const Bytes& bytes, size_t from) {
  return part(bytes, from, bytes.size() - from);
}

// All frames of the packet. Each has the Ethernet header of the first, and is no longer than the link takes.
std::vector<Bytes> frames_of(const Outcome& out, size_t mtu, size_t link_bytes = 14) {
  std::vector<Bytes> frames = {out.frame};
  for (const auto& extra : out.extra) {
    EXPECT_EQ(extra.out_port, out.out_port);
    EXPECT_EQ(part(extra.frame, 0, link_bytes), part(out.frame, 0, link_bytes));
    frames.push_back(extra.frame);
  }
  for (const Bytes& frame : frames) {
    EXPECT_LE(frame.size(), mtu + link_bytes);
  }
  return frames;
}

// The packet that IPv4 pieces are of, without options, its header as of the first but for length, flags and
// checksum. Empty: they are not pieces of one packet.
Bytes joined_v4(const std::vector<Bytes>& pieces) {
  std::map<size_t, Bytes> by_offset;
  bool ended = false;
  for (const Bytes& piece : pieces) {
    EXPECT_EQ(piece[0], 0x45);
    EXPECT_EQ(read16(piece, 2), piece.size());
    EXPECT_EQ(checksum_of(piece.data(), 20), 0);
    EXPECT_EQ(part(piece, 4, 2), part(pieces[0], 4, 2)) << "one id";
    EXPECT_EQ(part(piece, 12, 8), part(pieces[0], 12, 8));
    EXPECT_TRUE(by_offset.emplace((read16(piece, 6) & 0x1fffu) * 8, behind(piece, 20)).second);
    ended = ended || (piece[6] & 0x20) == 0;
  }
  Bytes payload;
  for (const auto& [offset, bytes] : by_offset) {
    EXPECT_EQ(offset, payload.size());
    payload.insert(payload.end(), bytes.begin(), bytes.end());
  }
  EXPECT_TRUE(ended);
  Bytes packet = part(pieces[0], 0, 20);
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

// As joined_v4(), of IPv6 pieces without other extension headers; with its fragment header left out.
Bytes joined_v6(const std::vector<Bytes>& pieces) {
  Bytes payload;
  for (const Bytes& piece : pieces) {
    EXPECT_EQ(piece[6], 44);
    EXPECT_EQ(read16(piece, 4) + 40u, piece.size());
    EXPECT_EQ(part(piece, 44, 4), part(pieces[0], 44, 4)) << "one id";
    EXPECT_EQ(read16(piece, 42) & 0xfff8u, payload.size()) << "in order";
    EXPECT_EQ(piece[43] & 1, &piece == &pieces.back() ? 0 : 1);
    const Bytes bytes = behind(piece, 48);
    payload.insert(payload.end(), bytes.begin(), bytes.end());
  }
  Bytes packet = part(pieces[0], 0, 40);
  packet[6] = pieces[0][40];
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

std::vector<Bytes> without(size_t bytes, std::vector<Bytes> frames) {
  for (Bytes& frame : frames) {
    frame = behind(frame, bytes);
  }
  return frames;
}

TEST(TooBig, TheLargestPacketThatFitsIsSentAndTheNextIsNot) {
  for (const bool tunnel : {true, false}) {
    Rig rig;
    const size_t fits = (tunnel ? 1480 : 1500) - 40;
    EXPECT_EQ(rig.run((tunnel ? web() : web_l2()).payload(fits).dont_fragment().bytes()).out_port, 1);
    const auto answered = rig.run((tunnel ? web() : web_l2()).payload(fits + 1).dont_fragment().bytes());
    EXPECT_EQ(answered.out_port, 0);
    EXPECT_EQ(read16(answered.frame, 40), tunnel ? 1480 : 1500);
    EXPECT_EQ(rig.dropped(DropReason::kTooBig), 1u);
    EXPECT_EQ(rig.counters().originated.value(), 1u);
    EXPECT_EQ(rig.run((tunnel ? web() : web_l2()).payload(fits).bytes()).extra.size(), 0u);
    EXPECT_EQ(rig.run((tunnel ? web() : web_l2()).payload(fits + 1).bytes()).extra.size(), 1u);
    EXPECT_EQ(rig.counters().originated.value(), 2u);
    EXPECT_TRUE(rig.counters_add_up());
  }
}

TEST(TooBig, TellsTheSenderWhatWouldFit) {
  Rig rig;
  const Bytes in = web().payload(1460).dont_fragment().bytes();
  const auto out = rig.run(in);
  ASSERT_EQ(out.verdict, Verdict::kSend);
  ASSERT_EQ(out.frame.size(), 14u + 576);
  EXPECT_EQ(part(out.frame, 0, 12), (Bytes{2, 0, 0, 0, 0, 0xcc, 2, 0, 0, 0, 0, 0xaa}));
  EXPECT_EQ(read16(out.frame, 16), 576);
  EXPECT_EQ(read16(out.frame, 18) != 0 || (read16(out.frame, 20) & 0x4000) != 0, true) << "RFC 6864, 4.1";
  EXPECT_EQ(out.frame[23], 1);
  EXPECT_EQ(checksum_of(out.frame.data() + 14, 20), 0);
  EXPECT_EQ(part(out.frame, 26, 8), (Bytes{198, 51, 100, 1, 192, 0, 2, 1}));
  EXPECT_EQ(out.frame[34], 3);
  EXPECT_EQ(out.frame[35], 4);
  EXPECT_EQ(checksum_of(out.frame.data() + 34, 556), 0);
  EXPECT_EQ(read16(out.frame, 38), 0);
  EXPECT_EQ(read16(out.frame, 40), 1480);
  EXPECT_EQ(part(out.frame, 42, 548), part(in, 14, 548));
}

TEST(TooBig, QuotesWhatThereIsRoomFor) {
  Rig rig;
  rig.ports[1].mtu = 80;
  for (const size_t payload : {21u, 40u, 500u, 560u}) {
    for (const uint16_t tailroom : {0, 10, 600}) {
      const Bytes in = web().payload(payload).dont_fragment().bytes();
      const auto out = rig.run(in, 0, 0, tailroom);
      ASSERT_EQ(out.verdict, Verdict::kSend);
      const size_t quoted = std::min<size_t>({548, payload + 40, in.size() + tailroom - 14 - 28});
      EXPECT_EQ(out.frame.size(), 14 + 28 + quoted);
      EXPECT_GE(quoted, 28u) << "the header and 8 bytes at least (RFC 792)";
      EXPECT_EQ(part(out.frame, 42, quoted), part(in, 14, quoted));
      EXPECT_EQ(checksum_of(out.frame.data() + 34, out.frame.size() - 34), 0);
    }
  }
}

TEST(TooBig, AnswersNobodyWhoIsNoSingleHost) {
  for (const char* source : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1"}) {
    Rig rig;
    const auto out = rig.run(web().from(source, 1).payload(1480).dont_fragment().bytes());
    EXPECT_EQ(out.verdict, Verdict::kDrop) << source;
  }
  Rig rig;
  const auto out = rig.run(web().from_mac({3, 0, 0, 0, 0, 1}).payload(1480).dont_fragment().bytes());
  EXPECT_EQ(out.verdict, Verdict::kDrop);
  EXPECT_TRUE(rig.counters_add_up());
}

TEST(TooBig, BoundsTheRateOfItsErrors) {
  Rig rig;
  const Bytes in = web().payload(1480).dont_fragment().bytes();
  for (int i = 0; i < 60; ++i) {
    rig.run(in);
  }
  EXPECT_EQ(rig.counters().originated.value(), 50u);
  EXPECT_EQ(rig.events(Event::kIcmpSuppressed), 10u);
  rig.now += std::chrono::milliseconds(10);
  EXPECT_EQ(rig.run(in).verdict, Verdict::kSend);
  EXPECT_EQ(rig.run(in).verdict, Verdict::kDrop);
  EXPECT_TRUE(rig.counters_add_up());
}

TEST(TooBig, AFloodFromOneSourceLeavesTheOthersTheirErrors) {
  Rig rig;
  for (int i = 0; i < 10000; ++i) {
    rig.run(web().from("192.0.2.66", 1).payload(1480).dont_fragment().bytes());
  }
  const uint64_t answered = rig.counters().originated.value();
  // Of 100 others fewer than one shares a bucket with it, on average.
  for (int i = 0; i < 100; ++i) {
    rig.run(web().from("203.0.113." + std::to_string(i + 1), 1).payload(1480).dont_fragment().bytes());
  }
  EXPECT_GE(rig.counters().originated.value() - answered, 90u);
  EXPECT_TRUE(rig.counters_add_up());
}

TEST(TooBig, CutsTheOuterIpv4Packet) {
  Rig rig;
  rig.worker().next_ip_id = 77;
  const Bytes in = web().payload(1450).padding(3).bytes();
  const Outcome out = rig.run(in);
  ASSERT_EQ(out.verdict, Verdict::kSend);
  ASSERT_EQ(out.extra.size(), 1u);
  const auto pieces = without(14, frames_of(out, 1500));
  EXPECT_EQ(pieces[0].size(), 1500u);
  EXPECT_EQ(read16(pieces[0], 4), 77);
  EXPECT_EQ(rig.worker().next_ip_id, 78) << "one id a datagram";
  EXPECT_EQ(behind(joined_v4(pieces), 20), part(in, 14, 1490)) << "inner, bit for bit";
  EXPECT_EQ(part(pieces[1], 12, 8), (Bytes{10, 0, 0, 2, 10, 0, 1, 11}));
  EXPECT_EQ(rig.counters().originated.value(), 1u);
  EXPECT_EQ(rig.events(Event::kFragmented), 1u);
  EXPECT_EQ(rig.counters().backends[0].packets.value(), 1u);
  EXPECT_EQ(rig.counters().backends[0].bytes.value(), 1490u);
  EXPECT_TRUE(rig.counters_add_up());
}

TEST(TooBig, CutsTheOuterIpv6Packet) {
  Rig rig;
  rig.addresses[0] = IpAddress::parse("2001:db8:1::11").value();
  rig.publish();
  Bytes ids[2];
  for (Bytes& id : ids) {
    const Bytes in = web().payload(3000).bytes();
    const Outcome out = rig.run(in, 0, 48);
    ASSERT_EQ(out.verdict, Verdict::kSend);
    ASSERT_EQ(out.extra.size(), 2u);
    const auto pieces = without(14, frames_of(out, 1500));
    id = part(pieces[0], 44, 4);
    const Bytes outer = joined_v6(pieces);
    EXPECT_EQ(outer[6], 4);
    EXPECT_EQ(behind(outer, 40), behind(in, 14));
  }
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_EQ(rig.run(web().payload(3000).bytes(), 0, 47).verdict, Verdict::kDrop);
  EXPECT_EQ(rig.dropped(DropReason::kNoHeadroom), 1u) << "no room for the fragment header";
  EXPECT_TRUE(rig.counters_add_up());
}

TEST(TooBig, CutsThePacketItselfWhereTheServiceSaysSo) {
  for (const char* backend : {"10.0.1.11", "2001:db8:1::11"}) {
    Rig rig;
    rig.addresses[0] = IpAddress::parse(backend).value();
    rig.tcp_options.oversize = Oversize::kInner;
    rig.publish();
    const size_t overhead = rig.addresses[0].is_v4() ? 20 : 40;
    const Bytes in = web().payload(3000).bytes();
    const Outcome out = rig.run(in);
    ASSERT_EQ(out.verdict, Verdict::kSend) << backend;
    ASSERT_EQ(out.extra.size(), 2u);
    std::vector<Bytes> inner;
    for (const Bytes& outer : without(14, frames_of(out, 1500))) {
      const bool is_v4 = overhead == 20;
      EXPECT_EQ(outer[is_v4 ? 9 : 6], 4) << "whole outer packets";
      EXPECT_EQ(is_v4 ? read16(outer, 6) : 0, 0);
      EXPECT_EQ(is_v4 ? read16(outer, 2) : read16(outer, 4) + 40u, outer.size());
      inner.push_back(behind(outer, overhead));
    }
    Bytes packet = joined_v4(inner);
    EXPECT_EQ(behind(packet, 20), behind(in, 34));
    EXPECT_EQ(part(packet, 4, 2), (Bytes{0x12, 0x34})) << "the packet's own id";
    EXPECT_TRUE(rig.counters_add_up());
  }
}

TEST(TooBig, CutsThePacketItselfWhereThereIsNoOuterOne) {
  Rig rig;
  const Bytes in = web_l2().payload(3000).bytes();
  const Outcome out = rig.run(in, 0, 0);
  ASSERT_EQ(out.extra.size(), 2u);
  EXPECT_EQ(behind(joined_v4(without(14, frames_of(out, 1500))), 20), behind(in, 34));
  EXPECT_TRUE(rig.counters_add_up());
}

TEST(TooBig, CutsEveryTunnelBothWays) {
  for (const ForwardMode mode : {ForwardMode::kGue, ForwardMode::kGre}) {
    for (const Oversize oversize : {Oversize::kOuter, Oversize::kInner}) {
      Rig rig;
      rig.addresses[0] = IpAddress::parse("2001:db8:1::11").value();
      rig.tcp_mode = mode;
      rig.tcp_options.oversize = oversize;
      rig.tcp_options.udp_checksum = true;
      rig.tcp_options.gre_key = 7;
      rig.publish();
      const Bytes in = web().payload(2000).bytes();
      const Outcome out = rig.run(in);
      ASSERT_EQ(out.extra.size(), 1u);
      const auto packets = without(14, frames_of(out, 1500));
      const size_t overhead = 40 + (mode == ForwardMode::kGue ? 12 : 8);
      const Bytes whole = oversize == Oversize::kOuter ? behind(joined_v6(packets), overhead)
                                                       : joined_v4(without(overhead, packets));
      EXPECT_EQ(behind(whole, 20), behind(in, 34));
      EXPECT_TRUE(rig.counters_add_up());
    }
  }
}

TEST(TooBig, PiecesHaveTheTagsOfTheirLink) {
  Rig rig;
  rig.ports[1].vlan_outer = 100;
  rig.ports[1].vlan_inner = 200;
  rig.ports[1].port = 0;
  const Bytes in = web().payload(1450).bytes();
  const Outcome out = rig.run(in);
  ASSERT_EQ(out.extra.size(), 1u);
  EXPECT_EQ(out.out_port, 0) << "the VLAN's port";
  EXPECT_EQ(part(out.frame, 12, 10), (Bytes{0x88, 0xa8, 0, 100, 0x81, 0, 0, 200, 8, 0}));
  EXPECT_EQ(behind(joined_v4(without(22, frames_of(out, 1500, 22))), 20), behind(in, 14));
}

TEST(TooBig, TellsIpv6SendersNoLessThan1280) {
  for (const auto& [mtu, told] : {std::pair{1500, 1460}, std::pair{1320, 1280}, std::pair{1300, 1280}}) {
    Rig rig;
    rig.addresses[0] = IpAddress::parse("2001:db8:1::11").value();
    rig.publish();
    rig.ports[1].mtu = static_cast<uint16_t>(mtu);
    const Bytes in = web_v6().payload(1450).bytes();
    const Outcome out = rig.run(in);
    ASSERT_EQ(out.verdict, Verdict::kSend);
    ASSERT_EQ(out.frame.size(), 14u + 1280) << "RFC 4443, 2.4(c)";
    EXPECT_EQ(out.out_port, 0);
    EXPECT_EQ(part(out.frame, 22, 32), [&] {
      Bytes back = part(in, 38, 16);
      const Bytes client = part(in, 22, 16);
      back.insert(back.end(), client.begin(), client.end());
      return back;
    }()) << "from the service to the client";
    EXPECT_EQ(part(out.frame, 54, 2), (Bytes{2, 0}));
    EXPECT_EQ(read16(out.frame, 60), told);
    EXPECT_EQ(part(out.frame, 62, 1232), part(in, 14, 1232));
    EXPECT_TRUE(rig.counters_add_up());
  }
}

TEST(TooBig, CutsTheOuterPacketOfIpv6ThatIsPromisedToPass) {
  for (const char* backend : {"10.0.1.11", "2001:db8:1::11"}) {
    Rig rig;
    rig.addresses[0] = IpAddress::parse(backend).value();
    rig.tcp_options.oversize = Oversize::kInner;  // which IPv6 has not
    rig.publish();
    rig.ports[1].mtu = 1290;
    const Bytes in = web_v6().payload(1220).bytes();
    const Outcome out = rig.run(in);
    ASSERT_EQ(out.extra.size(), 1u) << backend;
    const auto pieces = without(14, frames_of(out, 1290));
    const Bytes inner =
        rig.addresses[0].is_v4() ? behind(joined_v4(pieces), 20) : behind(joined_v6(pieces), 40);
    EXPECT_EQ(inner, behind(in, 14));
    EXPECT_EQ(rig.run(web_v6().payload(1221).bytes()).out_port, 0) << "over 1280 its sender is told";
    EXPECT_TRUE(rig.counters_add_up());
  }
}

TEST(TooBig, SendsAllPiecesOrNone) {
  for (const Frame& frame : {web().payload(9000), web_l2().payload(9000)}) {
    Rig rig;
    rig.extra_buffers = 5;
    EXPECT_EQ(rig.run(frame.bytes()).verdict, Verdict::kDrop);
    EXPECT_EQ(rig.dropped(DropReason::kNoBuffer), 1u);
    EXPECT_EQ(rig.extra_buffers, 5u) << "given back";
    rig.extra_buffers = 6;
    EXPECT_EQ(rig.run(frame.bytes()).extra.size(), 6u);
    rig.extra_bytes = 1000;
    EXPECT_EQ(rig.run(frame.bytes()).verdict, Verdict::kDrop);
    EXPECT_TRUE(rig.counters_add_up());
  }
}

TEST(TooBig, MakesNoMoreFramesInABurstThanItsBound) {
  Rig rig;
  rig.ports[1].mtu = 576;
  const Bytes in = web().payload(9000).bytes();
  std::vector<Bytes> blocks(kBatchSize, Bytes(128));
  Batch batch;
  for (Bytes& block : blocks) {
    block.insert(block.end(), in.begin(), in.end());
    batch.add({block.data() + 128, static_cast<uint16_t>(in.size()), 128, 0, 0});
  }
  process(batch, rig.snapshot(), rig.worker(), rig.now);
  const size_t extra = rig.worker().extra.size();
  EXPECT_LE(extra, ExtraFrames::kMost);
  EXPECT_GT(extra, ExtraFrames::kMost - 20);
  EXPECT_EQ(rig.counters().originated.value(), extra);
  EXPECT_GT(rig.dropped(DropReason::kNoBuffer), 0u);
  rig.settle(batch, 0);
  EXPECT_TRUE(rig.counters_add_up());
}

TEST(TooBig, DoesNotCutWhatItHasNotWhole) {
  Rig rig;
  Bytes in = web().payload(3000).bytes();
  Bytes block(128);
  block.insert(block.end(), in.begin(), in.begin() + kSegmentHead);
  for (const bool dont_fragment : {false, true}) {
    block[128 + 20] = dont_fragment ? 0x40 : 0;
    testing::write16(block, 128 + 24, 0);
    testing::write16(block, 128 + 24, checksum_of(block.data() + 128 + 14, 20));
    Bytes copy = block;
    Batch batch;
    batch.add({copy.data() + 128, static_cast<uint16_t>(in.size()), 128, 0, 0, 1});
    process(batch, rig.snapshot(), rig.worker(), rig.now);
    rig.settle(batch, 0);
    EXPECT_EQ(batch.verdicts[0], dont_fragment ? Verdict::kSend : Verdict::kDrop);
    EXPECT_EQ(batch.packets[0].length, dont_fragment ? kSegmentHead : in.size()) << "what is at hand";
  }
  EXPECT_EQ(rig.dropped(DropReason::kMultiSegment), 1u);
  EXPECT_TRUE(rig.counters_add_up());
}

// 65,535 bytes have no outer packet: the packet itself is cut, however the service wants it.
TEST(TooBig, TakesTheLongestPacket) {
  Rig rig;
  const Bytes in = web().payload(65535 - 14 - 40).bytes();
  const Outcome out = rig.run(in);
  ASSERT_EQ(out.verdict, Verdict::kSend);
  EXPECT_EQ(out.extra.size(), 44u);
  EXPECT_TRUE(rig.counters_add_up());
}

}  // namespace
}  // namespace maglb
