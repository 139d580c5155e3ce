#include "lib/base/siphash.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace maglb {
namespace {

// The authors' reference vectors: key 00..0f, message 00, 01, .. of growing length.
TEST(SipHash, GivesTheReferenceVectors) {
  const SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::vector<uint8_t> message(64);
  std::iota(message.begin(), message.end(), uint8_t{0});
  const auto of_length = [&](size_t n) { return siphash24(key, std::span(message).first(n)); };
  EXPECT_EQ(of_length(0), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(of_length(1), 0x74f839c593dc67fdu);
  EXPECT_EQ(of_length(7), 0xab0200f58b01d137u);
  EXPECT_EQ(of_length(8), 0x93f5f5799a932462u);
  EXPECT_EQ(of_length(15), 0xa129ca6149be45e5u);
}

TEST(SipHash, RandomKeysDiffer) {
  const SipKey a = SipKey::random();
  const SipKey b = SipKey::random();
  EXPECT_FALSE(a.k0 == b.k0 && a.k1 == b.k1);
}

}  // namespace
}  // namespace maglb
