#include "lib/net/parse.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "lib/net/checksum.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

using Bytes = std::vector<uint8_t>;

void seal(Bytes& frame) {
  auto& ip = header_at<Ipv4Header>(frame.data() + 14);
  ip.checksum = Be16(0);
  ip.checksum = internet_checksum({frame.data() + 14, ip.length_bytes()});
}

Bytes frame_of(uint8_t protocol, const Bytes& payload) {
  Bytes frame(34 + payload.size());
  header_at<EthernetHeader>(frame.data()).type = Be16(kEtherTypeIpv4);
  auto& ip = header_at<Ipv4Header>(frame.data() + 14);
  ip = Ipv4Header{};
  ip.total_length = Be16(static_cast<uint16_t>(20 + payload.size()));
  ip.ttl = 64;
  ip.protocol = protocol;
  ip.source = Be32(0xc000020b);
  ip.destination = Be32(0xc6336401);
  std::copy(payload.begin(), payload.end(), frame.begin() + 34);
  seal(frame);
  return frame;
}

Bytes tcp_frame() {
  Bytes segment(20);
  auto& tcp = header_at<TcpHeader>(segment.data());
  tcp.source_port = Be16(40000);
  tcp.destination_port = Be16(80);
  tcp.offset_reserved = 0x50;
  tcp.flags = kTcpSyn;
  return frame_of(kProtocolTcp, segment);
}

Bytes udp_frame() {
  Bytes datagram(12);
  auto& udp = header_at<UdpHeader>(datagram.data());
  udp.source_port = Be16(5353);
  udp.destination_port = Be16(53);
  udp.length = Be16(12);
  return frame_of(kProtocolUdp, datagram);
}

ParseStatus status_of(const Bytes& frame) {
  ParsedFrame parsed;
  return parse_frame(frame, parsed);
}

template <typename Change>
ParseStatus status_with(Bytes frame, Change change) {
  change(header_at<Ipv4Header>(frame.data() + 14), frame);
  seal(frame);
  return status_of(frame);
}

TEST(ParseFrame, ReadsATcpFlow) {
  ParsedFrame parsed;
  Bytes frame = tcp_frame();
  frame.resize(60);  // Ethernet padding
  ASSERT_EQ(parse_frame(frame, parsed), ParseStatus::kFlow);
  EXPECT_EQ(parsed.key.source.to_string(), "192.0.2.11");
  EXPECT_EQ(parsed.key.destination.to_string(), "198.51.100.1");
  EXPECT_EQ(parsed.key.source_port.host(), 40000);
  EXPECT_EQ(parsed.key.destination_port.host(), 80);
  EXPECT_EQ(parsed.key.protocol, Protocol::kTcp);
  EXPECT_EQ(parsed.l3_offset, 14);
  EXPECT_EQ(parsed.l3_length, 40);
  EXPECT_EQ(parsed.tcp_flags, kTcpSyn);
}

TEST(ParseFrame, ReadsAUdpFlow) {
  ParsedFrame parsed;
  ASSERT_EQ(parse_frame(udp_frame(), parsed), ParseStatus::kFlow);
  EXPECT_EQ(parsed.key.protocol, Protocol::kUdp);
  EXPECT_EQ(parsed.key.destination_port.host(), 53);
  EXPECT_EQ(parsed.tcp_flags, 0);
}

TEST(ParseFrame, ReadsPortsBehindIpOptions) {
  Bytes frame = tcp_frame();
  frame.insert(frame.begin() + 34, {1, 1, 1, 0});
  EXPECT_EQ(status_with(frame,
                        [](Ipv4Header& ip, Bytes&) {
                          ip.version_ihl = 0x46;
                          ip.total_length = Be16(44);
                        }),
            ParseStatus::kFlow);
}

TEST(ParseFrame, EveryTruncationOfAFrameIsTruncated) {
  for (const Bytes& whole : {tcp_frame(), udp_frame()}) {
    for (size_t length = 0; length < whole.size(); ++length) {
      EXPECT_EQ(status_of({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length)}),
                ParseStatus::kTruncated)
          << length;
    }
  }
}

TEST(ParseFrame, RefusesIpHeadersThatCannotBe) {
  const auto bad = ParseStatus::kBadIpHeader;
  EXPECT_EQ(status_with(tcp_frame(), [](Ipv4Header& ip, Bytes&) { ip.version_ihl = 0x65; }), bad);
  EXPECT_EQ(status_with(tcp_frame(), [](Ipv4Header& ip, Bytes&) { ip.version_ihl = 0x44; }), bad);
  EXPECT_EQ(status_with(tcp_frame(), [](Ipv4Header& ip, Bytes&) { ip.total_length = Be16(19); }), bad);
  EXPECT_EQ(status_with(tcp_frame(), [](Ipv4Header& ip, Bytes&) { ip.total_length = Be16(0); }), bad);
}

TEST(ParseFrame, RefusesAWrongIpChecksum) {
  Bytes frame = tcp_frame();
  frame[24] ^= 1;
  EXPECT_EQ(status_of(frame), ParseStatus::kBadIpChecksum);
}

TEST(ParseFrame, RefusesTransportHeadersThatCannotBe) {
  const auto bad = ParseStatus::kBadL4Header;
  EXPECT_EQ(status_with(tcp_frame(), [](Ipv4Header&, Bytes& f) { f[46] = 0x40; }), bad);
  EXPECT_EQ(status_with(tcp_frame(), [](Ipv4Header&, Bytes& f) { f[46] = 0x60; }), bad);
  EXPECT_EQ(status_with(udp_frame(), [](Ipv4Header&, Bytes& f) { f[39] = 7; }), bad);
  EXPECT_EQ(status_with(udp_frame(), [](Ipv4Header&, Bytes& f) { f[39] = 13; }), bad);
}

TEST(ParseFrame, TellsFragmentsApart) {
  EXPECT_EQ(status_with(tcp_frame(), [](Ipv4Header& ip, Bytes&) { ip.fragment = Be16(0x2000); }),
            ParseStatus::kFragment);
  EXPECT_EQ(status_with(tcp_frame(), [](Ipv4Header& ip, Bytes&) { ip.fragment = Be16(185); }),
            ParseStatus::kFragment);
  EXPECT_EQ(status_with(tcp_frame(), [](Ipv4Header& ip, Bytes&) { ip.fragment = Be16(0x4000); }),
            ParseStatus::kFlow);
}

TEST(ParseFrame, LeavesEverythingElseAlone) {
  Bytes arp = tcp_frame();
  header_at<EthernetHeader>(arp.data()).type = Be16(0x0806);
  EXPECT_EQ(status_of(arp), ParseStatus::kOther);
  EXPECT_EQ(status_of(frame_of(kProtocolIcmp, Bytes(8))), ParseStatus::kOther);
}

// Run under the sanitizers this finds a read past the end; without them, a length past the frame.
TEST(ParseFrame, StaysInsideAnyFrame) {
  std::mt19937 random(4711);
  for (int i = 0; i < 200000; ++i) {
    const Bytes base = random() % 2 == 0 ? tcp_frame() : udp_frame();
    const size_t length = random() % (base.size() + 1);
    const std::unique_ptr<uint8_t[]> frame(new uint8_t[length]);
    std::copy_n(base.begin(), length, frame.get());
    for (uint32_t flips = random() % 4; flips > 0 && length > 0; --flips) {
      frame[random() % length] = static_cast<uint8_t>(random());
    }
    ParsedFrame parsed;
    if (parse_frame({frame.get(), length}, parsed) == ParseStatus::kFlow) {
      ASSERT_LE(size_t{parsed.l3_offset} + parsed.l3_length, length);
    }
  }
}

}  // namespace
}  // namespace maglb
