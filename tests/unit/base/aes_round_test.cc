#include "lib/base/aes_round.h"

#include <gtest/gtest.h>

#include <random>

#include "lib/base/isa.h"

namespace maglb {
namespace {

// FIPS 197, Appendix B, round 1.
const Block kStart{
    {0x19, 0x3d, 0xe3, 0xbe, 0xa0, 0xf4, 0xe2, 0x2b, 0x9a, 0xc6, 0x8d, 0x2a, 0xe9, 0xf8, 0x48, 0x08}};
const Block kKey{
    {0xa0, 0xfa, 0xfe, 0x17, 0x88, 0x54, 0x2c, 0xb1, 0x23, 0xa3, 0x39, 0x39, 0x2a, 0x6c, 0x76, 0x05}};
const Block kEnd{
    {0xa4, 0x9c, 0x7f, 0xf2, 0x68, 0x9f, 0x35, 0x2b, 0x6b, 0x5b, 0xea, 0x43, 0x02, 0x6a, 0x50, 0x49}};

[[gnu::target("aes")]] Block by_instruction(const Block& block, const Block& key) {
  Block result;
  _mm_store_si128(reinterpret_cast<__m128i*>(&result),
                  aes_round(_mm_load_si128(reinterpret_cast<const __m128i*>(&block)),
                            _mm_load_si128(reinterpret_cast<const __m128i*>(&key))));
  return result;
}

TEST(AesRound, DoesWhatTheStandardShows) {
  EXPECT_EQ(aes_round_portable(kStart, kKey), kEnd);
}

TEST(AesRound, IsTheInstruction) {
  if (!__builtin_cpu_supports("aes")) {
    GTEST_SKIP() << "this CPU has no AES instructions";
  }
  EXPECT_EQ(by_instruction(kStart, kKey), kEnd);
  std::mt19937_64 random(19);
  for (int i = 0; i < 100'000; ++i) {
    Block block;
    Block key;
    for (size_t b = 0; b < 16; ++b) {
      block.bytes[b] = static_cast<uint8_t>(random());
      key.bytes[b] = static_cast<uint8_t>(random());
    }
    ASSERT_EQ(aes_round_portable(block, key), by_instruction(block, key));
  }
}

}  // namespace
}  // namespace maglb
