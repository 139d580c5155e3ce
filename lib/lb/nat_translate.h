// A session's packets, translated in place: the client's to (nat -> backend), the backend's to
// (service -> client). Both sides are of one family. It works on an IP packet as bytes; frames, ports and
// next hops are the caller's.
//
// What changes: addresses, ports, TTL or hop limit less one (NAT routes), and the checksums by those
// differences (RFC 1624), so that a packet that arrived damaged is still known as such where it ends. A UDP
// checksum of zero stays zero (RFC 768), and one that becomes zero is written as all ones.
//
// With a PROXY protocol v2 header (lib/flow/nat_stream.h), TCP only:
//   The client's SYN: its data is cut off, and a fast open option (RFC 7413; also with the experimental kind)
//   becomes no-operation, as the data would lie in front of the header. The backend acknowledges the SYN
//   only, and the client sends its data again, as to any server without fast open. (Without a header both
//   pass as they are.)
//   The client's other packets: carry the header, or have their sequence number shifted.
//   The backend's SYN: its MSS is lowered by the header's length, so that a full segment with the header is
//   no longer than the backend takes, and so is its window, which the header uses up.
//   The backend's other packets: acknowledgement and SACK blocks are shifted. A block begins inside the
//   header only where it tells of bytes that came twice (RFC 2883); it lies in front of the client's stream
//   then, like any block about what is long acknowledged.
//
// A fragment: the first is translated as a packet is, a later one has its addresses changed (l4_offset 0).
//
// track_client() or track_backend() has seen the packet before (lib/flow/nat_track.h).
//
// Threads: of the session's owner.
#pragma once

#include <cstdint>

#include "lib/flow/nat_session.h"

namespace maglb {

// An IP packet, checked by whoever parsed it: `length` is its own length, not that of padding.
struct NatPacket {
  uint8_t* ip = nullptr;
  uint16_t length = 0;
  uint16_t headroom = 0;   // writable bytes in front of ip; what is there is overwritten if the packet grows
  uint16_t l4_offset = 0;  // of TCP or UDP, from ip; 0: a later fragment
  bool is_v6 = false;
};

enum class NatResult : uint8_t {
  kTranslated,
  kTtlExceeded,  // TTL 1 or 0 on arrival: not forwarded (RFC 1812 5.3.1, RFC 8200 3)
  kNoHeadroom,   // the header does not fit in front of the packet
  kTooLong,      // with the header it would exceed 65,535 bytes
  kFragmented,   // a fragment would have to carry the header
};

// By how many bytes to_backend() will lengthen the packet, to be held against an MTU before.
// REQUIRES: as to_backend().
uint16_t growth_to_backend(const NatPacket& packet, const NatSession& session);

// Unless kTranslated, packet and bytes are unchanged. The IP header may have moved towards the headroom.
// REQUIRES: packet and session of one family and protocol; l4_offset is 0 or behind the IP header, and behind
// it lies a whole header of TCP or UDP (its data offset within the packet).
NatResult to_backend(NatPacket& packet, const NatSession& session);

// The same for the other way.
// `mss_limit`: the highest MSS that the client is told, in a SYN of the backend; 0: any.
NatResult to_client(NatPacket& packet, const NatSession& session, uint16_t mss_limit = 0);

}  // namespace maglb
