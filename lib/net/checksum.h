// The Internet checksum (RFC 1071): the complement of the one's complement sum of 16-bit words, over bytes,
// over a transport segment with its pseudo header, and changed in step with the bytes (RFC 1624).
//
// Sums are kept in little-endian words, which gives the bytes of the wire without swapping any (RFC 1071,
// 2(B)). An IPv4 address is summed as the mapped IPv6 address it lies as: the ffff in front of it is a zero
// of one's complement, so both families' pseudo headers are one sum. (Zero has two forms there, 0000 and
// ffff; a sum is 0000 only if all that is summed is zero, and a pseudo header never is.)
#pragma once

#include <cstdint>
#include <span>

#include "lib/base/byte_order.h"
#include "lib/net/wire.h"

namespace maglb {

namespace checksum_detail {

// Not folded yet. REQUIRES: fewer than 2^32 bytes.
inline uint64_t sum_of(std::span<const uint8_t> bytes) {
  uint64_t sum = 0;
  size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4) {
    sum += load_le32(bytes.data() + i);
  }
  for (; i < bytes.size(); ++i) {
    sum += uint64_t{bytes[i]} << (8 * (i & 1));
  }
  return sum;
}

inline uint16_t fold(uint64_t sum) {
  sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + ((sum >> 32) & 0xffff) + (sum >> 48);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>((sum & 0xffff) + (sum >> 16));
}

inline Be16 on_wire(uint16_t little_endian) {
  Be16 wire;
  store_le(wire.bytes, little_endian);
  return wire;
}

// The complement of a sum, as a checksum field holds it.
inline Be16 complement(uint64_t sum) {
  return on_wire(static_cast<uint16_t>(~fold(sum)));
}

// RFC 768: a computed 0 is sent as ffff, for a field of 0 says that there is no checksum.
inline Be16 never_zero(Be16 checksum) {
  return checksum == Be16(0) ? Be16(0xffff) : checksum;
}

// RFC 9293 3.1 and RFC 8200 8.1, which sum alike, and `segment`.
inline uint64_t transport_sum(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                              std::span<const uint8_t> segment) {
  const Be32 length(static_cast<uint32_t>(segment.size()));
  return sum_of(source.bytes) + sum_of(destination.bytes) + sum_of(length.bytes) + (uint64_t{protocol} << 8) +
         sum_of(segment);
}

}  // namespace checksum_detail

// Over `bytes`, an odd last byte padded with zero. A message whose own checksum field is filled in
// gives 0 when it is intact.
inline Be16 internet_checksum(std::span<const uint8_t> bytes) {
  return checksum_detail::complement(checksum_detail::sum_of(bytes));
}

// What the checksum field of a TCP, UDP or ICMPv6 `segment` has to hold (ICMPv4 has no pseudo header:
// internet_checksum()). REQUIRES: the field itself is zero in `segment`; addresses of one family; at most
// 65535 bytes.
inline Be16 transport_checksum(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                               std::span<const uint8_t> segment) {
  const Be16 checksum =
      checksum_detail::complement(checksum_detail::transport_sum(source, destination, protocol, segment));
  return protocol == kProtocolUdp ? checksum_detail::never_zero(checksum) : checksum;
}

// Whether a segment with its checksum filled in is intact. Says nothing of a UDP field of zero.
inline bool transport_checksum_holds(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                                     std::span<const uint8_t> segment) {
  return checksum_detail::complement(
             checksum_detail::transport_sum(source, destination, protocol, segment)) == Be16(0);
}

// What changed among summed bytes, to be applied to any number of checksums over them (the addresses of a
// packet to the header's and the transport's): HC' = ~(~HC + ~m + m'), RFC 1624, equation 3.
//
// Applied, it gives what summing anew gives, with one exception, which no pseudo header and no IP header
// meets: where every summed byte becomes zero it gives 0000, not ffff (RFC 1624, section 4). A checksum
// that was wrong stays wrong.
//
// REQUIRES: at most 2^16 changes.
class ChecksumChange {
 public:
  // Values that lie at an even offset from where the summing starts.
  void replace(Be16 before, Be16 after) { sum_ += term16(before.bytes, after.bytes); }
  void replace(Be32 before, Be32 after) { sum_ += term32(before.bytes, after.bytes); }
  // REQUIRES: addresses of one family: an address of the other moves what lies behind it.
  void replace(const IpAddress& before, const IpAddress& after) {
    for (size_t i = 0; i < before.bytes.size(); i += 4) {
      sum_ += term32(before.bytes.data() + i, after.bytes.data() + i);
    }
  }
  // At any offset. Behind an odd one every word's bytes are summed the other way round (RFC 1071, 2(B)).
  void replace_at(size_t offset, Be16 before, Be16 after) {
    sum_ += at(offset, term16(before.bytes, after.bytes));
  }
  void replace_at(size_t offset, Be32 before, Be32 after) {
    sum_ += at(offset, term32(before.bytes, after.bytes));
  }

  // For IPv4 headers, TCP and ICMPv6.
  Be16 applied_to(Be16 checksum) const {
    const auto before = static_cast<uint16_t>(~load_le16(checksum.bytes));
    return checksum_detail::complement(sum_ + before);
  }
  // For UDP of both families: a field of zero, no checksum, stays; a checksum of zero becomes ffff. (Over
  // IPv6 a zero is RFC 6935's tunnels' or an error: neither is ours to change.)
  Be16 applied_to_udp(Be16 checksum) const {
    return checksum == Be16(0) ? checksum : checksum_detail::never_zero(applied_to(checksum));
  }

 private:
  static uint64_t term16(const uint8_t* before, const uint8_t* after) {
    return uint64_t{static_cast<uint16_t>(~load_le16(before))} + load_le16(after);
  }
  static uint64_t term32(const uint8_t* before, const uint8_t* after) {
    return uint64_t{~load_le32(before)} + load_le32(after);
  }
  static uint64_t at(size_t offset, uint64_t term) {
    return offset % 2 == 0 ? term : __builtin_bswap16(checksum_detail::fold(term));
  }

  uint64_t sum_ = 0;
};

}  // namespace maglb
