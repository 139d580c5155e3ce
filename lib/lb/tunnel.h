// The outer header of a tunnel: IPv4 in IPv4 (RFC 2003), IPv6 in either (RFC 2473, RFC 4213), IPv4 in IPv6
// (RFC 2473), and what lies behind it in a tunnel by UDP or GRE. What the outer header says of the inner
// one, and nothing of buffers.
#pragma once

#include <cstdint>
#include <cstring>

#include "lib/lb/tunnel_source.h"
#include "lib/net/parse.h"
#include "lib/net/wire.h"

namespace maglb {

inline constexpr uint8_t kTunnelTtl = 64;

inline constexpr uint16_t tunnel_overhead(bool outer_is_v6) {
  return outer_is_v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header);
}

// What an outer header takes over from the packet it carries.
struct InnerFacts {
  uint16_t length = 0;        // bytes
  uint8_t tos = 0;            // or traffic class
  uint8_t protocol = 0;       // that the outer header names
  bool dont_fragment = true;  // IPv6 is fragmented by its sender or not at all
};

// REQUIRES: `ip` is the header of a packet of `length` bytes of that family.
template <bool kIsV6>
inline InnerFacts inner_facts(const uint8_t* ip, uint16_t length) {
  if constexpr (kIsV6) {
    return {length, header_at<Ipv6Header>(ip).traffic_class(), kProtocolIpv6, true};
  } else {
    const auto& v4 = header_at<Ipv4Header>(ip);
    return {length, v4.tos, kProtocolIpip, v4.dont_fragment()};
  }
}

// An outer IPv4 header but for what changes from packet to packet, with the sum of what does not.
class OuterV4 {
 public:
  explicit OuterV4(const TunnelSource& source) : source_(source) {
    Ipv4Header header;
    header.ttl = kTunnelTtl;
    std::memcpy(head_, &header, sizeof head_);
    for (size_t i = 0; i < sizeof head_; i += 4) {
      sum_ += load_le32(head_ + i);
    }
  }

  // Writes 20 bytes. DF is the inner header's; a packet that may not be fragmented needs no identification
  // (RFC 6864, 4.1): ID 0 with DF set, else `id`. `flow`: bits of the flow, which choose its source.
  // REQUIRES: `destination` is IPv4.
  void write(uint8_t* out, const InnerFacts& inner, uint64_t flow, const IpAddress& destination,
             uint16_t id) const {
    const uint16_t total = __builtin_bswap16(static_cast<uint16_t>(inner.length + sizeof(Ipv4Header)));
    const uint32_t id_fragment = inner.dont_fragment ? 0x00400000u : uint32_t{__builtin_bswap16(id)};
    const uint32_t from = source_.v4(flow);
    const uint32_t to = load_le32(&destination.bytes[12]);
    // RFC 1071: the sum does not mind in which byte order it is taken, nor in what width.
    const uint64_t sum =
        sum_ + total + id_fragment + from + to + (uint32_t{inner.tos} << 8) + (uint32_t{inner.protocol} << 8);
    const auto half = static_cast<uint32_t>((sum + (sum << 32 | sum >> 32)) >> 32);
    const auto checksum = static_cast<uint16_t>(~((half + (half << 16 | half >> 16)) >> 16));
    std::memcpy(out, head_, sizeof head_);
    out[1] = inner.tos;
    store_le(out + 2, total);
    store_le(out + 4, id_fragment);
    out[9] = inner.protocol;
    store_le(out + 10, checksum);
    store_le(out + 12, from | uint64_t{to} << 32);
  }

 private:
  alignas(16) uint8_t head_[12];  // up to the source
  TunnelSource source_;
  uint64_t sum_ = 0;
};

// Writes 40 bytes. The flow label is the flow's (RFC 6438), and never 0.
inline void write_outer_v6(uint8_t* out, const InnerFacts& inner, uint64_t flow, const TunnelSource& source,
                           const IpAddress& destination) {
  const auto label = static_cast<uint32_t>(flow >> 44) | 1;
  const uint32_t version_class_label =
      0x60u | inner.tos >> 4 | (inner.tos & 0x0fu) << 12 | (label & 0xf) << 8 | (label >> 4) << 16;
  const uint32_t length_next_hops =
      __builtin_bswap16(inner.length) | uint32_t{inner.protocol} << 16 | uint32_t{kTunnelTtl} << 24;
  store_le(out, version_class_label | uint64_t{length_next_hops} << 32);
  store_le(out + 8, source.high(flow));
  store_le(out + 16, source.low(flow));
  std::memcpy(out + 24, &destination, sizeof destination);
}

}  // namespace maglb
