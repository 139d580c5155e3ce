#include "lib/net/checksum.h"

#include <gtest/gtest.h>

#include <array>
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

}  // namespace
}  // namespace maglb
