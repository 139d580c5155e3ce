// One round of AES (FIPS 197: SubBytes, ShiftRows, MixColumns, AddRoundKey) on a block of 16 bytes: what
// the AESENC instruction does, for machines that have it and for those that have not. Used to mix, not to
// encrypt.
//
// The portable form looks up tables, so its time depends on the data. Nothing secret is lost by that
// here: who can measure one packet's hash to the nanosecond is on the machine already.
#pragma once

#include <immintrin.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace maglb {

struct alignas(16) Block {
  std::array<uint8_t, 16> bytes{};

  friend Block operator^(const Block& a, const Block& b) {
    Block result;
    for (size_t i = 0; i < 16; ++i) {
      result.bytes[i] = a.bytes[i] ^ b.bytes[i];
    }
    return result;
  }
  friend constexpr bool operator==(const Block&, const Block&) = default;
};

// AESENC in portable code.
Block aes_round_portable(const Block& block, const Block& key);

// AESENC. REQUIRES: the CPU has it.
[[gnu::target("aes")]] inline __m128i aes_round(__m128i block, __m128i key) {
  return _mm_aesenc_si128(block, key);
}

}  // namespace maglb
