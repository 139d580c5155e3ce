#include "lib/net/icmp_message.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "lib/net/checksum.h"

namespace maglb {
namespace {

using Bytes = std::vector<uint8_t>;

IpAddress address(std::string_view text) {
  return *IpAddress::parse(text);
}

TooBig too_big(bool v6, uint32_t mtu) {
  return v6 ? TooBig{address("2001:db8:1::10"), address("2001:db8::7"), mtu}
            : TooBig{address("192.0.2.10"), address("198.51.100.7"), mtu};
}

Bytes noise(std::mt19937& random, size_t length) {
  Bytes bytes(length);
  for (uint8_t& b : bytes) {
    b = static_cast<uint8_t>(random() % 3 == 0 ? 0 : random());
  }
  return bytes;
}

void expect_intact(const Bytes& message, bool v6) {
  const auto all = std::span(message);
  if (v6) {
    const auto& ip = header_at<Ipv6Header>(message.data());
    EXPECT_EQ(ip.payload_length.host() + 40u, message.size());
    EXPECT_TRUE(transport_checksum_holds(ip.source, ip.destination, 58, all.subspan(40)));
  } else {
    EXPECT_EQ(header_at<Ipv4Header>(message.data()).total_length.host(), message.size());
    EXPECT_EQ(internet_checksum(all.first(20)), Be16(0));
    EXPECT_EQ(internet_checksum(all.subspan(20)), Be16(0));
  }
}

TEST(TooBig, WritesTheRfcsBytesForIpv4) {
  const Bytes packet{0x45, 0xde, 0xad, 0xbe};
  Bytes out(100, 0xaa);
  ASSERT_EQ(write_too_big(too_big(false, 1480), packet, out), 32u);
  out.resize(32);
  const Bytes expected{0x45, 0,    0,       32,      0,   0,  0x40, 0,
                       64,   1,    out[10], out[11],                       // DF, TTL 64, ICMP
                       192,  0,    2,       10,      198, 51, 100,  7,     // addresses
                       3,    4,    out[22], out[23], 0,   0,  0x05, 0xc8,  // fragmentation needed, 1480
                       0x45, 0xde, 0xad,    0xbe};
  EXPECT_EQ(out, expected);
  expect_intact(out, false);
}

TEST(TooBig, WritesTheRfcsBytesForIpv6) {
  const Bytes packet{0x60, 0xde, 0xad};
  Bytes out(100, 0xaa);
  ASSERT_EQ(write_too_big(too_big(true, 70000), packet, out), 51u);
  EXPECT_EQ(out[51], 0xaa);
  out.resize(51);
  const Bytes expected{
      0x60, 0,    0,       0,       0, 11, 58,   64,                               // 11 bytes of ICMPv6
      0x20, 0x01, 0x0d,    0xb8,    0, 1,  0,    0,    0, 0, 0, 0, 0, 0, 0, 0x10,  // source
      0x20, 0x01, 0x0d,    0xb8,    0, 0,  0,    0,    0, 0, 0, 0, 0, 0, 0, 0x07,  // destination
      2,    0,    out[42], out[43], 0, 1,  0x11, 0x70,                             // packet too big, 70000
      0x60, 0xde, 0xad};
  EXPECT_EQ(out, expected);
  expect_intact(out, true);
}

TEST(TooBig, QuotesUpToTheLimitOrTheRoom) {
  std::mt19937 random(4443);
  for (const bool v6 : {false, true}) {
    const size_t headers = v6 ? kErrorHeadersV6 : kErrorHeadersV4;
    const size_t longest = v6 ? kLongestErrorV6 : kLongestErrorV4;
    for (int round = 0; round < 3000; ++round) {
      const Bytes packet = noise(random, random() % 2000);
      Bytes out(headers + random() % 2000, 0xaa);
      const size_t length = write_too_big(too_big(v6, 1280 + random() % 300), packet, out);
      ASSERT_EQ(length, std::min({headers + packet.size(), longest, out.size()}));
      EXPECT_TRUE(std::equal(out.begin() + static_cast<int>(headers), out.begin() + static_cast<int>(length),
                             packet.begin()));
      EXPECT_TRUE(std::all_of(out.begin() + static_cast<int>(length), out.end(),
                              [](uint8_t b) { return b == 0xaa; }));
      out.resize(length);
      expect_intact(out, v6);
    }
  }
}

TEST(TooBig, MayBeWrittenOverItsPacket) {
  std::mt19937 random(1191);
  for (const bool v6 : {false, true}) {
    for (size_t length = 0; length < 1600; length += 37) {
      const Bytes packet = noise(random, length);
      Bytes apart(2000);
      apart.resize(write_too_big(too_big(v6, 1400), packet, apart));
      Bytes over = packet;
      over.resize(2000);
      over.resize(write_too_big(too_big(v6, 1400), std::span(over).first(length), over));
      EXPECT_EQ(over, apart) << length;
    }
  }
}

TEST(TooBig, WritesNothingWithoutRoomForItsHeaders) {
  for (const bool v6 : {false, true}) {
    Bytes out((v6 ? kErrorHeadersV6 : kErrorHeadersV4) - 1, 0xaa);
    const Bytes untouched = out;
    EXPECT_EQ(write_too_big(too_big(v6, 1400), Bytes(100), out), 0u);
    EXPECT_EQ(out, untouched);
  }
}

TEST(TooBig, SaysAtMost65535ForIpv4) {
  Bytes out(28);
  ASSERT_EQ(write_too_big(too_big(false, 70000), {}, out), 28u);
  EXPECT_EQ(header_at<IcmpUnreachable>(out.data() + 20).next_hop_mtu.host(), 65535);
}

struct Ping {
  IpAddress source;
  IpAddress destination;
  uint8_t ttl = 17;
  Bytes body = {0, 0, 0, 0, 0x12, 0x34, 0, 1, 'p', 'i', 'n', 'g', '!'};  // from the ICMP header on
};

// With both checksums in order; ICMPv4's is of the body as it stands.
Bytes packet_of(Ping ping, uint8_t type) {
  const bool v4 = ping.source.is_v4();
  ping.body[0] = type;
  auto& checksum = header_at<Be16>(ping.body.data() + 2);
  checksum = Be16(0);
  checksum = v4 ? internet_checksum(ping.body)
                : transport_checksum(ping.source, ping.destination, kProtocolIcmpv6, ping.body);
  Bytes packet(v4 ? 20 : 40);
  if (v4) {
    auto& ip = header_at<Ipv4Header>(packet.data());
    ip = Ipv4Header{};
    ip.tos = 0xb8;
    ip.id = Be16(0x4321);
    ip.total_length = Be16(static_cast<uint16_t>(20 + ping.body.size()));
    ip.ttl = ping.ttl;
    ip.protocol = kProtocolIcmp;
    ip.source = ping.source.to_v4();
    ip.destination = ping.destination.to_v4();
    ip.checksum = internet_checksum(packet);
  } else {
    auto& ip = header_at<Ipv6Header>(packet.data());
    ip = Ipv6Header{};
    ip.class_flow = 0x0a;
    ip.flow = Be16(0xbcde);
    ip.payload_length = Be16(static_cast<uint16_t>(ping.body.size()));
    ip.next_header = kProtocolIcmpv6;
    ip.hop_limit = ping.ttl;
    ip.source = ping.source;
    ip.destination = ping.destination;
  }
  packet.insert(packet.end(), ping.body.begin(), ping.body.end());
  return packet;
}

Ping ping(bool v6) {
  return v6 ? Ping{address("2001:db8::7"), address("2001:db8:1::10")}
            : Ping{address("198.51.100.7"), address("192.0.2.10")};
}
Bytes request(const Ping& ping) {
  return packet_of(ping, ping.source.is_v4() ? 8 : 128);
}
Bytes reply_to(Ping ping) {
  std::swap(ping.source, ping.destination);
  ping.ttl = 64;
  return packet_of(ping, ping.source.is_v4() ? 0 : 129);
}

void expect_refused(const Bytes& packet, bool v6) {
  Bytes copy = packet;
  EXPECT_FALSE(echo_reply_in_place(copy, v6));
  EXPECT_EQ(copy, packet);
}

// With the IPv4 header's checksum made to fit, so that it is not what is refused.
void expect_refused_v4(Bytes packet) {
  auto& checksum = header_at<Ipv4Header>(packet.data()).checksum;
  checksum = Be16(0);
  checksum = internet_checksum(std::span(packet).first(20));
  expect_refused(packet, false);
}

TEST(EchoReply, IsTheRequestTurnedRound) {
  for (const bool v6 : {false, true}) {
    Bytes packet = request(ping(v6));
    ASSERT_TRUE(echo_reply_in_place(packet, v6));
    EXPECT_EQ(packet, reply_to(ping(v6)));
    expect_intact(packet, v6);
    expect_refused(packet, v6);  // a reply is no request
  }
}

TEST(EchoReply, AgreesWithAReplyBuiltAnew) {
  std::mt19937 random(792);
  for (int round = 0; round < 20000; ++round) {
    const bool v6 = round % 2 == 0;
    Ping some = ping(v6);
    some.source.bytes[15] = static_cast<uint8_t>(1 + random() % 200);
    some.ttl = static_cast<uint8_t>(random());
    some.body = noise(random, 8 + random() % 100);
    some.body[1] = 0;
    Bytes packet = request(some);
    Bytes expected = reply_to(some);
    const size_t padded = packet.size() + random() % 10;  // as Ethernet does
    packet.resize(padded, 0x77);
    expected.resize(padded, 0x77);
    ASSERT_TRUE(echo_reply_in_place(packet, v6)) << round;
    ASSERT_EQ(packet, expected) << round;
  }
}

// RFC 1624, section 4: where all that is summed becomes zero. ffff is right; 0000 would be refused.
TEST(EchoReply, SumsAReplyOfZeros) {
  for (const size_t length : {8u, 9u, 64u}) {
    Ping zeros = ping(false);
    zeros.body = Bytes(length, 0);
    Bytes packet = request(zeros);
    ASSERT_TRUE(echo_reply_in_place(packet, false));
    EXPECT_EQ(packet, reply_to(zeros));
    EXPECT_EQ(header_at<Be16>(packet.data() + 22), Be16(0xffff));
  }
}

TEST(EchoReply, KeepsAWrongChecksumWrong) {
  for (const bool v6 : {false, true}) {
    Bytes packet = request(ping(v6));
    packet.back() ^= 0x10;
    Bytes expected = reply_to(ping(v6));
    expected.back() ^= 0x10;
    ASSERT_TRUE(echo_reply_in_place(packet, v6));
    EXPECT_EQ(packet, expected);
  }
  // Of a request whose sum is claimed to be that of one with no data but zeros.
  Ping some = ping(false);
  some.body = Bytes(12, 0);
  Bytes packet = request(some);
  packet.back() = 1;
  ASSERT_TRUE(echo_reply_in_place(packet, false));
  EXPECT_NE(internet_checksum(std::span(packet).subspan(20)), Be16(0));
}

TEST(EchoReply, RefusesOtherMessages) {
  for (const bool v6 : {false, true}) {
    for (int type = 0; type < 256; ++type) {
      if (type != (v6 ? 128 : 8)) {
        expect_refused(packet_of(ping(v6), static_cast<uint8_t>(type)), v6);
      }
    }
    Ping coded = ping(v6);
    coded.body[1] = 1;
    expect_refused(request(coded), v6);
    expect_refused(request(ping(v6)), !v6);
    Bytes tcp = request(ping(v6));
    tcp[v6 ? 6 : 9] = 6;
    v6 ? expect_refused(tcp, true) : expect_refused_v4(tcp);
    tcp[v6 ? 6 : 9] = 44;  // IPv6's fragment header
    v6 ? expect_refused(tcp, true) : expect_refused_v4(tcp);
  }
}

TEST(EchoReply, RefusesLengthsThatCannotBe) {
  for (const bool v6 : {false, true}) {
    const Bytes whole = request(ping(v6));
    for (size_t length = 0; length < whole.size(); ++length) {
      expect_refused(Bytes(whole.begin(), whole.begin() + static_cast<int>(length)), v6);
    }
  }
  Bytes v4 = request(ping(false));
  v4[3] = 27;  // less than an echo's header
  expect_refused_v4(v4);
  v4 = request(ping(false));
  v4[0] = 0x44;
  expect_refused_v4(v4);
  v4[0] = 0x46;  // an option
  expect_refused_v4(v4);
  v4[0] = 0x65;
  expect_refused_v4(v4);
  Bytes v6 = request(ping(true));
  v6[5] = 7;
  expect_refused(v6, true);
  v6 = request(ping(true));
  v6[0] = 0x40;
  expect_refused(v6, true);
}

TEST(EchoReply, RefusesFragmentsAndWrongHeaderChecksums) {
  for (const uint16_t fragment : {0x2000, 0x0001, 0x1fff, 0x3000}) {
    Bytes packet = request(ping(false));
    header_at<Ipv4Header>(packet.data()).fragment = Be16(fragment);
    expect_refused_v4(packet);
  }
  Bytes wrong = request(ping(false));
  wrong[10] ^= 1;
  expect_refused(wrong, false);
  // "Don't fragment" is no fragment.
  Bytes whole = request(ping(false));
  auto& ip = header_at<Ipv4Header>(whole.data());
  ip.fragment = Be16(kIpv4DontFragment);
  ip.checksum = Be16(0);
  ip.checksum = internet_checksum(std::span(whole).first(20));
  EXPECT_TRUE(echo_reply_in_place(whole, false));
}

TEST(EchoReply, RefusesAddressesOfNoOneHost) {
  for (const char* text : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
                           "255.255.255.255", "::", "::1", "ff02::1", "ff0e::7"}) {
    const bool v6 = !address(text).is_v4();
    Ping from = ping(v6);
    from.source = address(text);
    expect_refused(request(from), v6);
    Ping to = ping(v6);
    to.destination = address(text);
    expect_refused(request(to), v6);
  }
  for (const bool v6 : {false, true}) {
    Ping itself = ping(v6);
    itself.source = itself.destination;
    expect_refused(request(itself), v6);
  }
  Bytes mapped = request(ping(true));
  std::memcpy(mapped.data() + 8, address("198.51.100.7").bytes.data(), 16);
  expect_refused(mapped, true);
}

TEST(EchoReply, TakesAnyNoise) {
  std::mt19937 random(77);
  for (int round = 0; round < 200000; ++round) {
    const bool v6 = round % 2 == 0;
    Bytes packet = request(ping(v6));
    for (int i = 0; i < 3; ++i) {
      packet[random() % packet.size()] = static_cast<uint8_t>(random());
    }
    packet.resize(random() % (packet.size() + 1));
    const Bytes before = packet;
    if (!echo_reply_in_place(packet, v6)) {
      ASSERT_EQ(packet, before) << round;
    }
  }
}

}  // namespace
}  // namespace maglb
