// The Internet checksum (RFC 1071): the complement of the one's complement sum of 16-bit words.
#pragma once

#include <cstdint>
#include <span>

#include "lib/base/byte_order.h"

namespace maglb {

// Over `bytes`, an odd last byte padded with zero. A message whose own checksum field is filled in
// gives 0 when it is intact.
inline Be16 internet_checksum(std::span<const uint8_t> bytes) {
  uint64_t sum = 0;
  size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4) {
    sum += load_le32(bytes.data() + i);
  }
  for (; i < bytes.size(); ++i) {
    sum += uint64_t{bytes[i]} << (8 * (i & 1));
  }
  sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + ((sum >> 32) & 0xffff) + (sum >> 48);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  // Summed in little-endian words, so the sum's own bytes are already in the order of the wire.
  const auto folded = static_cast<uint16_t>(~sum);
  Be16 wire;
  wire.bytes[0] = static_cast<uint8_t>(folded);
  wire.bytes[1] = static_cast<uint8_t>(folded >> 8);
  return wire;
}

}  // namespace maglb
