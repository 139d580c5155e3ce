#include "lib/flow/flow_digest.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <set>
#include <utility>

namespace maglb {
namespace {

FlowKey random_flow(std::mt19937_64& random) {
  FlowKey flow;
  const uint64_t protocol = random() % 2 == 0 ? 6 : 17;
  flow.set_addresses(random(), random(), random(), random());
  flow.set_rest((random() & 0xffffffff) | protocol << 32);
  return flow;
}

TEST(FlowDigest, DependsOnKeyTupleAndService) {
  FlowKey flow;
  flow.source_port = Be16(1);
  FlowKey other = flow;
  other.destination_port = Be16(1);
  const FlowHash hash(SipKey{1, 2});
  const FlowDigest digest = hash.digest(flow, 1);
  EXPECT_EQ(digest, FlowHash(SipKey{1, 2}).digest(flow, 1));
  EXPECT_FALSE(digest == hash.digest(flow, 2));
  EXPECT_FALSE(digest == hash.digest(other, 1));
  EXPECT_FALSE(digest == FlowHash(SipKey{1, 3}).digest(flow, 1));
  EXPECT_FALSE(digest == FlowHash(SipKey{3, 2}).digest(flow, 1));
}

TEST(FlowDigest, EverySingleBitOfTheInputChangesBothWords) {
  std::mt19937_64 random(23);
  for (int round = 0; round < 20; ++round) {
    const FlowHash hash(SipKey{random(), random()});
    const FlowKey flow = random_flow(random);
    const auto service = static_cast<uint32_t>(random());
    std::set<std::pair<uint64_t, uint64_t>> seen;
    std::set<uint64_t> places;
    const auto note = [&](const FlowDigest& digest) {
      seen.insert({digest.place, digest.identity});
      places.insert(digest.place);
    };
    note(hash.digest(flow, service));
    for (size_t bit = 0; bit < 37 * 8; ++bit) {
      FlowKey flipped = flow;
      reinterpret_cast<uint8_t*>(&flipped)[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
      note(hash.digest(flipped, service));
    }
    for (uint32_t bit = 0; bit < 32; ++bit) {
      note(hash.digest(flow, service ^ 1u << bit));
    }
    EXPECT_EQ(seen.size(), 1u + 37 * 8 + 32);
    EXPECT_EQ(places.size(), 1u + 37 * 8 + 32);
  }
}

// Half of the output's bits, whichever bit of the input it is.
TEST(FlowDigest, SpreadsEveryInputBitOverTheOutput) {
  std::mt19937_64 random(24);
  for (size_t bit = 0; bit < 37 * 8; ++bit) {
    int flips = 0;
    constexpr int kRounds = 64;
    for (int round = 0; round < kRounds; ++round) {
      const FlowHash hash(SipKey{random(), random()});
      const FlowKey flow = random_flow(random);
      FlowKey flipped = flow;
      reinterpret_cast<uint8_t*>(&flipped)[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
      const FlowDigest a = hash.digest(flow, 1);
      const FlowDigest b = hash.digest(flipped, 1);
      flips += std::popcount(a.place ^ b.place) + std::popcount(a.identity ^ b.identity);
    }
    // 64 of 128 expected; one standard deviation of the mean is 0.7.
    EXPECT_NEAR(flips / double{kRounds}, 64, 5) << "bit " << bit;
  }
}

template <typename Digest>
void expect_same(Digest digest) {
  std::mt19937_64 random(25);
  for (int i = 0; i < 50'000; ++i) {
    const FlowHash hash(SipKey{random(), random()});
    const FlowKey flow = random_flow(random);
    const auto service = static_cast<uint32_t>(random());
    ASSERT_EQ(digest(hash, flow, service), hash.digest(flow, service));
  }
}

TEST(FlowDigest, IsTheSameWithAvx2) {
  if (!cpu_has(Isa::kAvx2)) {
    GTEST_SKIP() << "this CPU has not the instructions of avx2";
  }
  expect_same(
      [](const FlowHash& hash, const FlowKey& flow, uint32_t id) { return hash.digest_avx2(flow, id); });
}

TEST(FlowDigest, IsTheSameWithAvx512) {
  if (!cpu_has(Isa::kAvx512)) {
    GTEST_SKIP() << "this CPU has not the instructions of avx512";
  }
  expect_same(
      [](const FlowHash& hash, const FlowKey& flow, uint32_t id) { return hash.digest_avx512(flow, id); });
}

}  // namespace
}  // namespace maglb
