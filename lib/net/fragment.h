// What the IP header of a fragment says (RFC 791 3.1; RFC 8200, 4.5).
//
// parse_frame() has refused what cannot be: a fragment that ends behind byte 65,535, one that is not the last
// and no multiple of 8 bytes long, a first one without its TCP or UDP header. Overlaps are for whoever
// remembers fragments.
#pragma once

#include <cstdint>
#include <span>

namespace maglb {

// Fragments of one datagram share source, destination and `id`, over IPv4 the protocol, too.
struct FragmentFacts {
  uint32_t id = 0;              // 16 bits over IPv4
  uint32_t offset_bytes = 0;    // of the payload in the datagram's
  uint32_t payload_bytes = 0;   // over IPv6 what is behind the fragment header
  uint16_t payload_offset = 0;  // in the IP packet
  bool more = false;            // not the last

  bool is_first() const { return offset_bytes == 0; }
};

// REQUIRES: `ip` begins at l3_offset of a frame that parsed as kFragment, and holds what parse_frame() saw of
// it.
FragmentFacts fragment_facts(std::span<const uint8_t> ip);

}  // namespace maglb
