#include "lib/net/parse.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "lib/net/checksum.h"
#include "lib/net/wire.h"
#include "tests/support/packet_builder.h"

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
  ASSERT_EQ(parse_frame(frame, parsed), ParseStatus::kPacket);
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
  ASSERT_EQ(parse_frame(udp_frame(), parsed), ParseStatus::kPacket);
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
            ParseStatus::kPacket);
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
    if (parse_frame({frame.get(), length}, parsed) == ParseStatus::kPacket) {
      ASSERT_LE(size_t{parsed.l3_offset} + parsed.l3_length, length);
    }
  }
}

testing::Frame web_v6() {
  return testing::Frame().from("2001:db8::11", 40000).to("2001:db8:100::1", 80).tcp("S");
}

Bytes with(Bytes frame, size_t at, uint8_t value) {
  frame.at(at) = value;
  return frame;
}

// ::ffff:192.0.2.1 at that offset.
Bytes with_mapped(Bytes frame, size_t at) {
  const Bytes mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
  std::copy(mapped.begin(), mapped.end(), frame.begin() + static_cast<ptrdiff_t>(at));
  return frame;
}

TEST(ParseFrame, ReadsATcpFlowOverIpv6) {
  ParsedFrame parsed;
  ASSERT_EQ(parse_frame(web_v6().padding(6).payload(10).bytes(), parsed), ParseStatus::kPacket);
  EXPECT_EQ(parsed.key.source.to_string(), "2001:db8::11");
  EXPECT_EQ(parsed.key.destination.to_string(), "2001:db8:100::1");
  EXPECT_EQ(parsed.key.source_port.host(), 40000);
  EXPECT_EQ(parsed.key.destination_port.host(), 80);
  EXPECT_EQ(parsed.key.protocol, Protocol::kTcp);
  EXPECT_EQ(parsed.l3_offset, 14);
  EXPECT_EQ(parsed.l3_length, 70);
  EXPECT_EQ(parsed.tcp_flags, kTcpSyn);
  EXPECT_TRUE(parsed.is_v6);
  EXPECT_EQ(parsed.kind, PacketKind::kFlow);
}

TEST(ParseFrame, ReadsAUdpFlowOverIpv6) {
  ParsedFrame parsed;
  ASSERT_EQ(parse_frame(web_v6().udp().bytes(), parsed), ParseStatus::kPacket);
  EXPECT_EQ(parsed.key.protocol, Protocol::kUdp);
  EXPECT_EQ(parsed.tcp_flags, 0);
  EXPECT_EQ(parsed.l3_length, 48);
}

TEST(ParseFrame, EveryTruncationOfAnIpv6FrameIsTruncated) {
  for (const Bytes& whole : {web_v6().bytes(), web_v6().udp().payload(3).bytes()}) {
    for (size_t length = 0; length < whole.size(); ++length) {
      EXPECT_EQ(status_of({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length)}),
                ParseStatus::kTruncated)
          << length;
    }
  }
}

TEST(ParseFrame, RefusesIpv6HeadersThatCannotBe) {
  EXPECT_EQ(status_of(with(web_v6().bytes(), 14, 0x40)), ParseStatus::kBadIpHeader);
  EXPECT_EQ(status_of(with(web_v6().bytes(), 14, 0x70)), ParseStatus::kBadIpHeader);
  EXPECT_EQ(status_of(with_mapped(web_v6().bytes(), 22)), ParseStatus::kBadIpHeader) << "source";
  EXPECT_EQ(status_of(with_mapped(web_v6().bytes(), 38)), ParseStatus::kBadIpHeader) << "destination";
}

TEST(ParseFrame, RefusesTransportHeadersOverIpv6ThatCannotBe) {
  const Bytes udp = web_v6().udp().payload(4).bytes();
  EXPECT_EQ(status_of(with(udp, 59, 7)), ParseStatus::kBadL4Header);
  EXPECT_EQ(status_of(with(udp, 59, 13)), ParseStatus::kBadL4Header);
  EXPECT_EQ(status_of(with(udp, 59, 8)), ParseStatus::kPacket);
  EXPECT_EQ(status_of(with(web_v6().bytes(), 66, 0x40)), ParseStatus::kBadL4Header);
  EXPECT_EQ(status_of(with(web_v6().bytes(), 66, 0x60)), ParseStatus::kBadL4Header);
}

bool same(const ParsedFrame& a, const ParsedFrame& b) {
  return a.key == b.key && a.l3_offset == b.l3_offset && a.l3_length == b.l3_length &&
         a.tcp_flags == b.tcp_flags && a.is_v6 == b.is_v6 && a.kind == b.kind &&
         a.vlan_outer == b.vlan_outer && a.vlan_inner == b.vlan_inner;
}

// A result with every field set to what is wrong.
ParsedFrame stale() {
  ParsedFrame parsed;
  parsed.key.set_addresses(~uint64_t{0}, 1, 2, ~uint64_t{0});
  parsed.key.set_rest(~uint64_t{0});
  parsed.l3_offset = parsed.l3_length = 77;
  parsed.tcp_flags = 77;
  parsed.is_v6 = true;
  parsed.kind = PacketKind::kPortless;
  parsed.vlan_outer = parsed.vlan_inner = 77;
  return parsed;
}

TEST(ParseCommon, TakesPlainFramesOfTcpAndUdp) {
  for (const char* address : {"192.0.2.11", "2001:db8::11"}) {
    const bool is_v6 = address[4] == ':';
    const auto frame = [&] {
      return testing::Frame().from(address, 1).to(is_v6 ? "2001:db8::1" : "198.51.100.1", 2);
    };
    for (const size_t payload : {size_t{0}, size_t{1}, size_t{12}, size_t{1400}}) {
      for (const Bytes& bytes :
           {frame().tcp("A").payload(payload).bytes(), frame().udp().payload(payload + 12).bytes(),
            frame().udp().payload(payload).padding(30).bytes(),
            frame().tcp("S").dont_fragment().tos(0xfc).payload(payload).padding(6).bytes()}) {
        ParsedFrame parsed = stale();
        ParsedFrame expected;
        ASSERT_TRUE(parse_common(bytes.data(), static_cast<uint16_t>(bytes.size()), parsed)) << bytes.size();
        ASSERT_EQ(parse_frame(bytes, expected), ParseStatus::kPacket);
        EXPECT_TRUE(same(parsed, expected));
      }
    }
  }
}

// A frame with what is likely to matter changed: lengths, versions, options, fragments, and any byte.
Bytes mutated(std::mt19937_64& random) {
  const auto below = [&](uint64_t limit) { return random() % limit; };
  const bool is_v6 = below(2) == 0;
  testing::Frame builder;
  builder.from(is_v6 ? "2001:db8::11" : "192.0.2.11", static_cast<uint16_t>(random()));
  builder.to(is_v6 ? "2001:db8::1" : "198.51.100.1", static_cast<uint16_t>(random()));
  builder.payload(below(24)).tos(static_cast<uint8_t>(random()));
  below(2) == 0 ? builder.tcp("A") : builder.udp();
  if (below(4) == 0) {
    builder.padding(below(24));
  }
  if (below(8) == 0) {
    builder.fragment(static_cast<uint16_t>(uint64_t{1} << below(16)));
  }
  Bytes frame = builder.bytes();
  for (uint64_t changes = below(4); changes > 0; --changes) {
    frame[12 + below(std::min<uint64_t>(frame.size() - 12, 64))] ^= static_cast<uint8_t>(1u << below(8));
  }
  if (below(4) == 0) {
    const size_t length_at = is_v6 ? 18 : 16;
    testing::write16(frame, length_at, testing::read16(frame, length_at) + below(9) - 4);
  }
  if (is_v6 && below(8) == 0) {
    frame = with_mapped(frame, below(2) == 0 ? 22 : 38);
  }
  if (!is_v6 && below(3) != 0) {
    const size_t header = std::min<size_t>((frame[14] & 15u) * 4, frame.size() - 14);
    testing::write16(frame, 24, 0);
    testing::write16(frame, 24, testing::checksum_of(frame.data() + 14, std::max<size_t>(header, 12)));
  }
  if (below(4) == 0) {
    frame.resize(below(frame.size() + 1));
  }
  return frame;
}

TEST(ParseCommon, TakesNothingThatParseFrameDoesNotReadTheSame) {
  std::mt19937_64 random(41);
  int taken = 0;
  int left = 0;  // flows that only parse_frame() takes
  for (int i = 0; i < 3'000'000; ++i) {
    const Bytes frame = mutated(random);
    const std::unique_ptr<uint8_t[]> block(new uint8_t[frame.size()]);
    std::copy(frame.begin(), frame.end(), block.get());
    ParsedFrame common = stale();
    ParsedFrame expected;
    const ParseStatus status = parse_frame({block.get(), frame.size()}, expected);
    if (parse_common(block.get(), static_cast<uint16_t>(frame.size()), common)) {
      ASSERT_EQ(status, ParseStatus::kPacket) << "frame " << i;
      ASSERT_EQ(expected.kind, PacketKind::kFlow) << "frame " << i;
      ASSERT_TRUE(same(common, expected)) << "frame " << i;
      ++taken;
    } else if (status == ParseStatus::kPacket && expected.kind == PacketKind::kFlow) {
      const size_t least = expected.is_v6 ? 74 : 54;
      const bool is_plain = expected.is_v6 ? frame[20] == 6 || frame[20] == 17 : frame[14] == 0x45;
      ASSERT_TRUE(frame.size() < least || !is_plain) << "frame " << i;
      ++left;
    }
  }
  EXPECT_GT(taken, 300'000);
  EXPECT_GT(left, 1'000);
}

}  // namespace
}  // namespace maglb
