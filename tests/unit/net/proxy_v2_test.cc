#include "lib/net/proxy_v2.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace maglb {
namespace {

using Bytes = std::vector<uint8_t>;

ProxyV2Endpoints ends(std::string_view source, uint16_t source_port, std::string_view destination,
                      uint16_t destination_port) {
  return {*IpAddress::parse(source), *IpAddress::parse(destination), Be16(source_port),
          Be16(destination_port)};
}

Bytes written(const ProxyV2Endpoints& ends) {
  Bytes out(100, 0xaa);
  const size_t length = write_proxy_v2(ends, out);
  EXPECT_EQ(length, ends.length());
  for (size_t i = length; i < out.size(); ++i) {
    EXPECT_EQ(out[i], 0xaa);
  }
  out.resize(length);
  return out;
}

// Byte by byte from proxy-protocol.txt, section 2.2.
TEST(ProxyV2, WritesTheSpecificationsBytesForIpv4) {
  EXPECT_EQ(written(ends("198.51.100.7", 40000, "192.0.2.10", 443)),
            (Bytes{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,  // signature
                   0x21, 0x11, 0x00, 0x0c,                                                  // 12 bytes follow
                   198,  51,   100,  7,    192,  0,    2,    10,                            // addresses
                   0x9c, 0x40, 0x01, 0xbb}));                                               // ports
}

TEST(ProxyV2, WritesTheSpecificationsBytesForIpv6) {
  EXPECT_EQ(written(ends("2001:db8::7", 40000, "2001:db8:1::10", 443)),
            (Bytes{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,  // signature
                   0x21, 0x21, 0x00, 0x24,                                                  // 36 bytes follow
                   0x20, 0x01, 0x0d, 0xb8, 0,    0,    0,    0,    0,    0,    0,    0,
                   0,    0,    0,    0x07,  // source
                   0x20, 0x01, 0x0d, 0xb8, 0,    1,    0,    0,    0,    0,    0,    0,
                   0,    0,    0,    0x10,     // destination
                   0x9c, 0x40, 0x01, 0xbb}));  // ports
}

TEST(ProxyV2, WritesMixedFamiliesAsIpv6) {
  const Bytes header = written(ends("198.51.100.7", 1, "2001:db8::1", 2));
  ASSERT_EQ(header.size(), 52u);
  EXPECT_EQ(Bytes(header.begin() + 26, header.begin() + 32), (Bytes{0xff, 0xff, 198, 51, 100, 7}));
}

TEST(ProxyV2, WritesNothingIntoTooLittleRoom) {
  for (const auto& some :
       {ends("198.51.100.7", 1, "192.0.2.10", 2), ends("2001:db8::7", 1, "2001:db8::1", 2)}) {
    Bytes out(some.length() - 1, 0xaa);
    const Bytes untouched = out;
    EXPECT_EQ(write_proxy_v2(some, out), 0u);
    EXPECT_EQ(out, untouched);
    out.push_back(0);
    EXPECT_EQ(write_proxy_v2(some, out), some.length());
  }
  EXPECT_EQ(write_proxy_v2(ends("10.0.0.1", 1, "10.0.0.2", 2), {}), 0u);
}

TEST(ProxyV2, AgreesWithANaiveWriterOnRandomEndpoints) {
  std::mt19937 random(22);
  for (int round = 0; round < 10000; ++round) {
    ProxyV2Endpoints some;
    for (IpAddress* address : {&some.source, &some.destination}) {
      for (uint8_t& b : address->bytes) {
        b = static_cast<uint8_t>(random());
      }
      if (round % 2 == 0) {
        *address = IpAddress::v4(Be32(random()));
      }
    }
    some.source_port = Be16(static_cast<uint16_t>(random()));
    some.destination_port = Be16(static_cast<uint16_t>(random()));
    Bytes expected{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21};
    const int from = round % 2 == 0 ? 12 : 0;
    expected.push_back(round % 2 == 0 ? 0x11 : 0x21);
    expected.push_back(0);
    expected.push_back(round % 2 == 0 ? 12 : 36);
    for (const IpAddress* address : {&some.source, &some.destination}) {
      expected.insert(expected.end(), address->bytes.begin() + from, address->bytes.end());
    }
    for (const Be16 port : {some.source_port, some.destination_port}) {
      expected.push_back(static_cast<uint8_t>(port.host() >> 8));
      expected.push_back(static_cast<uint8_t>(port.host() & 0xff));
    }
    ASSERT_EQ(written(some), expected) << round;
  }
}

}  // namespace
}  // namespace maglb
