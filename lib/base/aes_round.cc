#include "lib/base/aes_round.h"

#include <bit>

namespace maglb {
namespace {

uint8_t twice(uint8_t x) {
  return static_cast<uint8_t>((x << 1) ^ ((x >> 7) * 0x1b));
}

uint8_t product(uint8_t a, uint8_t b) {
  uint8_t sum = 0;
  for (; b != 0; b = static_cast<uint8_t>(b >> 1)) {
    sum = static_cast<uint8_t>(sum ^ ((b & 1) * a));
    a = twice(a);
  }
  return sum;
}

// FIPS 197, 5.1.1: the inverse in GF(2^8), which is x^254, and an affine map.
uint8_t substitute(uint8_t x) {
  uint8_t inverse = 1;
  for (int i = 0; i < 254; ++i) {
    inverse = product(inverse, x);
  }
  uint8_t result = 0x63;
  for (int i = 0; i < 5; ++i) {
    result = static_cast<uint8_t>(result ^ std::rotl(inverse, i));
  }
  return result;
}

// For byte x in a column's first row: (2, 1, 1, 3) * S(x), lowest byte first; the other rows' columns are
// rotations of it.
std::array<uint32_t, 256> make_columns() {
  std::array<uint32_t, 256> columns{};
  for (uint32_t x = 0; x < 256; ++x) {
    const uint32_t s = substitute(static_cast<uint8_t>(x));
    const uint32_t s2 = twice(static_cast<uint8_t>(s));
    columns[x] = s2 | s << 8 | s << 16 | (s2 ^ s) << 24;
  }
  return columns;
}

const std::array<uint32_t, 256> kColumns = make_columns();

}  // namespace

// ShiftRows: column c takes row r from column c + r.
Block aes_round_portable(const Block& block, const Block& key) {
  Block result;
  for (size_t c = 0; c < 4; ++c) {
    uint32_t column = 0;
    for (size_t r = 0; r < 4; ++r) {
      column ^= std::rotl(kColumns[block.bytes[4 * ((c + r) % 4) + r]], static_cast<int>(8 * r));
    }
    std::memcpy(&result.bytes[4 * c], &column, sizeof column);
  }
  return result ^ key;
}

}  // namespace maglb
