#include "lib/net/selection_hash.h"

#include <gtest/gtest.h>

#include <vector>

namespace maglb {
namespace {

FlowKey key_of(const char* source, const char* destination, uint16_t source_port, uint16_t destination_port,
               Protocol protocol) {
  return {*IpAddress::parse(source), *IpAddress::parse(destination), Be16(source_port),
          Be16(destination_port), protocol};
}

// Computed with an independent implementation of the definition in the header.
TEST(SelectionHash, KeepsItsTestVectors) {
  const FlowKey a = key_of("192.0.2.11", "198.51.100.1", 40000, 80, Protocol::kTcp);
  EXPECT_EQ(SelectionHash(7)(a), 0x0d4169246e988cf8u);
  EXPECT_EQ(SelectionHash::slot(SelectionHash(7)(a), 65537), 3393u);

  const FlowKey b = key_of("10.0.0.1", "198.51.100.2", 53, 53, Protocol::kUdp);
  EXPECT_EQ(SelectionHash(0)(b), 0xfb7403afe1376c67u);
  EXPECT_EQ(SelectionHash::slot(SelectionHash(0)(b), 65537), 64372u);

  const FlowKey c = key_of("2001:db8::1", "2001:db8::2", 1, 65535, Protocol::kTcp);
  EXPECT_EQ(SelectionHash(0xdeadbeefcafef00d)(c), 0xdcadefa470a81e42u);
  EXPECT_EQ(SelectionHash::slot(SelectionHash(0xdeadbeefcafef00d)(c), 65537), 56494u);
}

// 64 clients with 1,024 consecutive ports each, the shape of real traffic, over 64 slots: a chi-square
// statistic with 63 degrees of freedom exceeds 130 once in a million fair trials.
TEST(SelectionHash, SpreadsNeighbouringTuplesEvenly) {
  for (const uint64_t seed : {0u, 1u, 7u}) {
    const SelectionHash hash(seed);
    std::vector<double> count(64);
    for (uint16_t client = 0; client < 64; ++client) {
      for (uint16_t port = 0; port < 1024; ++port) {
        FlowKey key =
            key_of("192.0.2.0", "198.51.100.1", static_cast<uint16_t>(32768 + port), 80, Protocol::kTcp);
        key.source.bytes[15] = static_cast<uint8_t>(client);
        ++count[SelectionHash::slot(hash(key), 64)];
      }
    }
    double chi_square = 0;
    for (const double c : count) {
      chi_square += (c - 1024) * (c - 1024) / 1024;
    }
    EXPECT_LT(chi_square, 130) << "seed " << seed;
  }
}

}  // namespace
}  // namespace maglb
