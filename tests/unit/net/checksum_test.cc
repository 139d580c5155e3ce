#include "lib/net/checksum.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <vector>

namespace maglb {
namespace {

// The example of RFC 1071, section 3: the sum is ddf2.
TEST(InternetChecksum, GivesTheRfcsExample) {
  const std::array<uint8_t, 8> bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(internet_checksum(bytes).host(), static_cast<uint16_t>(~0xddf2));
}

TEST(InternetChecksum, AgreesWithTheWordByWordDefinition) {
  std::mt19937 random(1071);
  for (size_t length = 0; length < 300; ++length) {
    std::vector<uint8_t> bytes(length);
    for (uint8_t& b : bytes) {
      b = static_cast<uint8_t>(random() % 4 == 0 ? 0xff : random());
    }
    uint32_t sum = 0;
    for (size_t i = 0; i < length; ++i) {
      sum += uint32_t{bytes[i]} << (i % 2 == 0 ? 8 : 0);
      sum = (sum & 0xffff) + (sum >> 16);
    }
    EXPECT_EQ(internet_checksum(bytes).host(), static_cast<uint16_t>(~sum)) << length;
  }
}

// Word by word, as the RFCs draw it: addresses, protocol and length, then the segment.
uint16_t naive_transport_checksum(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                                  const std::vector<uint8_t>& segment) {
  std::vector<uint8_t> all;
  const size_t front = source.is_v4() ? 12 : 0;
  all.insert(all.end(), source.bytes.begin() + front, source.bytes.end());
  all.insert(all.end(), destination.bytes.begin() + front, destination.bytes.end());
  const auto length = static_cast<uint32_t>(segment.size());
  for (int shift = source.is_v4() ? 8 : 24; shift >= 0; shift -= 8) {
    all.push_back(static_cast<uint8_t>(length >> shift));
  }
  all.insert(all.end(), source.is_v4() ? 1 : 3, 0);
  all.push_back(protocol);
  all.insert(all.end(), segment.begin(), segment.end());
  uint32_t sum = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    sum += uint32_t{all[i]} << (i % 2 == 0 ? 8 : 0);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  const auto checksum = static_cast<uint16_t>(~sum);
  return protocol == kProtocolUdp && checksum == 0 ? 0xffff : checksum;
}

class RandomSegment {
 public:
  explicit RandomSegment(uint32_t seed) : random_(seed) {}

  uint32_t number() { return random_(); }
  // Many zeros and ones: where one's complement has its corners.
  uint8_t byte() {
    const uint32_t kind = random_() % 4;
    return static_cast<uint8_t>(kind == 0 ? 0 : kind == 1 ? 0xff : random_());
  }
  std::vector<uint8_t> bytes(size_t length) {
    std::vector<uint8_t> some(length);
    for (uint8_t& b : some) {
      b = byte();
    }
    return some;
  }
  IpAddress address(bool v4) {
    if (v4) {
      return IpAddress::v4({byte(), byte(), byte(), byte()});
    }
    IpAddress some;
    some.bytes[0] = 0x20;
    for (size_t i = 1; i < 16; ++i) {
      some.bytes[i] = byte();
    }
    return some;
  }

 private:
  std::mt19937 random_;
};

void put(std::vector<uint8_t>& bytes, size_t offset, Be16 value) {
  std::memcpy(bytes.data() + offset, value.bytes, 2);
}

Be16 get(const std::vector<uint8_t>& bytes, size_t offset) {
  Be16 value;
  std::memcpy(value.bytes, bytes.data() + offset, 2);
  return value;
}

TEST(TransportChecksum, AgreesWithASumByHand) {
  const std::vector<uint8_t> datagram{0x30, 0x39, 0x00, 0x35, 0x00, 0x0a, 0x00, 0x00, 'h', 'i'};
  // 0a00+0001 + 0a00+0002 + 0011 + 000a + 3039+0035+000a+6869 = acff
  EXPECT_EQ(
      transport_checksum(IpAddress::v4({10, 0, 0, 1}), IpAddress::v4({10, 0, 0, 2}), kProtocolUdp, datagram)
          .host(),
      0x5300);
}

TEST(TransportChecksum, AgreesWithTheDefinitionForBothFamilies) {
  RandomSegment random(793);
  for (int round = 0; round < 20000; ++round) {
    const bool v4 = round % 2 == 0;
    const uint8_t protocol = std::array<uint8_t, 3>{6, 17, 58}[random.number() % 3];
    const IpAddress source = random.address(v4);
    const IpAddress destination = random.address(v4);
    std::vector<uint8_t> segment = random.bytes(8 + random.number() % 80);
    put(segment, 6, Be16(0));
    const Be16 checksum = transport_checksum(source, destination, protocol, segment);
    ASSERT_EQ(checksum.host(), naive_transport_checksum(source, destination, protocol, segment)) << round;
    put(segment, 6, checksum);
    ASSERT_TRUE(transport_checksum_holds(source, destination, protocol, segment)) << round;
    segment[0] ^= 1;
    ASSERT_FALSE(transport_checksum_holds(source, destination, protocol, segment)) << round;
  }
}

TEST(TransportChecksum, SendsAZeroOfUdpAsOnes) {
  const IpAddress source = IpAddress::v4({10, 0, 0, 1});
  std::vector<uint8_t> segment(10, 0);
  put(segment, 8, transport_checksum(source, source, kProtocolTcp, segment));
  EXPECT_EQ(transport_checksum(source, source, kProtocolTcp, segment), Be16(0));
  segment[8] = segment[9] = 0;
  put(segment, 8, transport_checksum(source, source, kProtocolUdp, segment));
  EXPECT_EQ(transport_checksum(source, source, kProtocolUdp, segment), Be16(0xffff));
}

// RFC 1624, section 4: a header of which a field goes from 5555 to 3285, checksum dd2f, gets 0000.
TEST(ChecksumChange, GivesTheRfcsExample) {
  ChecksumChange change;
  change.replace(Be16(0x5555), Be16(0x3285));
  EXPECT_EQ(change.applied_to(Be16(0xdd2f)), Be16(0x0000));
}

TEST(ChecksumChange, AgreesWithSummingAnew) {
  RandomSegment random(1624);
  for (int round = 0; round < 50000; ++round) {
    const bool v4 = round % 2 == 0;
    const uint8_t protocol = std::array<uint8_t, 3>{6, 17, 58}[random.number() % 3];
    IpAddress source = random.address(v4);
    const IpAddress destination = random.address(v4);
    std::vector<uint8_t> segment = random.bytes(20 + random.number() % 40);
    put(segment, 6, Be16(0));
    const Be16 before = transport_checksum(source, destination, protocol, segment);

    ChecksumChange change;
    const IpAddress other = random.address(v4);
    change.replace(source, other);
    source = other;
    const Be16 port(static_cast<uint16_t>(random.number()));
    change.replace(get(segment, 0), port);
    put(segment, 0, port);
    // Four bytes at any offset behind the checksum.
    const size_t offset = 8 + random.number() % (segment.size() - 11);
    Be32 was;
    std::memcpy(was.bytes, segment.data() + offset, 4);
    Be32 is;
    for (uint8_t& b : is.bytes) {
      b = random.byte();
    }
    change.replace_at(offset, was, is);
    std::memcpy(segment.data() + offset, is.bytes, 4);
    const size_t last = segment.size() - 2;
    const Be16 two(static_cast<uint16_t>(random.number()));
    change.replace_at(last, get(segment, last), two);
    put(segment, last, two);

    const Be16 anew = transport_checksum(source, destination, protocol, segment);
    ASSERT_EQ(protocol == kProtocolUdp ? change.applied_to_udp(before) : change.applied_to(before), anew)
        << round;
  }
}

TEST(ChecksumChange, KeepsAnIpv4HeaderIntact) {
  RandomSegment random(791);
  for (int round = 0; round < 20000; ++round) {
    std::vector<uint8_t> header = random.bytes(20);
    header[0] = 0x45;
    put(header, 10, Be16(0));
    put(header, 10, internet_checksum(header));
    Be32 source;
    std::memcpy(source.bytes, header.data() + 12, 4);
    const Be32 other(random.number());
    ChecksumChange change;
    change.replace(source, other);
    std::memcpy(header.data() + 12, other.bytes, 4);
    const Be16 changed = change.applied_to(get(header, 10));
    put(header, 10, Be16(0));
    ASSERT_EQ(changed, internet_checksum(header)) << round;
  }
}

TEST(ChecksumChange, LeavesUdpWithoutAChecksum) {
  ChecksumChange change;
  change.replace(Be16(1), Be16(2));
  EXPECT_EQ(change.applied_to_udp(Be16(0)), Be16(0));
  // ~HC + ~m + m' = ffff: computed 0, sent as ones.
  ChecksumChange to_zero;
  to_zero.replace(Be16(0), Be16(0x1234));
  EXPECT_EQ(to_zero.applied_to(Be16(0x1234)), Be16(0));
  EXPECT_EQ(to_zero.applied_to_udp(Be16(0x1234)), Be16(0xffff));
  EXPECT_EQ(ChecksumChange().applied_to_udp(Be16(0xffff)), Be16(0xffff));
}

TEST(ChecksumChange, KeepsAWrongChecksumWrong) {
  std::vector<uint8_t> bytes{1, 2, 3, 4, 0, 0};
  put(bytes, 4, Be16(static_cast<uint16_t>(internet_checksum(bytes).host() + 1)));
  ChecksumChange change;
  change.replace(get(bytes, 0), Be16(0xabcd));
  put(bytes, 0, Be16(0xabcd));
  put(bytes, 4, change.applied_to(get(bytes, 4)));
  EXPECT_NE(internet_checksum(bytes), Be16(0));
}

}  // namespace
}  // namespace maglb
