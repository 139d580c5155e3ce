// The extension headers between an IPv6 header and its payload (RFC 8200, 4): hop-by-hop options, routing,
// destination options, authentication, fragment.
//
// 1. At most kMaxChainHeaders headers of kMaxChainBytes together are walked (RFC 8504 5.3 lets a node bound
//    them), so a walk costs what these allow, whatever a packet claims.
// 2. Hop-by-hop options come first or not at all, a fragment header once; a routing header of type 0 is
//    refused (RFC 5095). Other orders are taken as they are.
// 3. The walk ends at a fragment that is not the first, as what follows there is no header.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace maglb {

inline constexpr uint32_t kMaxChainHeaders = 8;
inline constexpr uint32_t kMaxChainBytes = 512;

// IANA's numbers, beside those of wire.h.
namespace next_header {
inline constexpr uint8_t kHopByHop = 0;
inline constexpr uint8_t kIgmp = 2;
inline constexpr uint8_t kRouting = 43;
inline constexpr uint8_t kFragment = 44;
inline constexpr uint8_t kGre = 47;
inline constexpr uint8_t kAuthentication = 51;
inline constexpr uint8_t kIcmpv6 = 58;
inline constexpr uint8_t kNone = 59;
inline constexpr uint8_t kDestination = 60;
}  // namespace next_header

enum class ChainStatus : uint8_t {
  kWhole,    // `end` is where the payload begins
  kBeyond,   // a header ends behind the packet
  kNotHere,  // within the packet, but behind the bytes at hand
  kBad,
  kTooMany,
};

struct Ipv6Chain {
  uint16_t end = 0;       // of the IPv6 header and all that was walked, in bytes
  uint8_t protocol = 0;   // of what begins there
  uint16_t fragment = 0;  // where the fragment header begins, 0: there is none; set with any status

  // Of the fragment header (RFC 8200, 4.5): its offset and flags, 0 if there is none or it is atomic.
  uint16_t offset_bytes = 0;
  bool more = false;
  bool is_fragment() const { return offset_bytes != 0 || more; }
  bool is_first() const { return offset_bytes == 0; }
};

// `ip` is what is at hand of a packet of `packet_length` bytes, its IPv6 header included.
// REQUIRES: 40 <= ip.size() <= packet_length <= 65,535.
ChainStatus walk_chain(std::span<const uint8_t> ip, size_t packet_length, Ipv6Chain& chain);

}  // namespace maglb
