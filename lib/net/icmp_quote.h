// The packet that an ICMP error quotes (RFC 792, RFC 1812 4.3.2.3, RFC 4443): whose flow the error is about.
//
//   IP header (to the quoted packet's source) | ICMP, 8 bytes | quoted IP header | 8 or more bytes of its
//   payload
//
// Errors are types 3, 11 and 12 of ICMP (a source quench, 4, and a redirect, 5, are none: RFC 6633, RFC 1812
// 5.2.7.2) and 1 to 4 of ICMPv6. A quote counts if it has its IP header and 8 bytes behind it, is no later
// fragment, and its source is the error's destination: who gets an error has sent the packet. Not checked:
// the quoted IPv4 checksum and total length, which routers on the way have changed or not.
//
// An error about a tunnel of ours comes to the tunnel's source; tunnel_quote() looks one packet deeper.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "lib/net/flow_key.h"

namespace maglb {

bool is_icmp_error(uint8_t type, bool is_v6);
bool is_echo_request(uint8_t type, bool is_v6);
// Whether an error says that nobody takes the packet there (and not that it was too big): no host, protocol
// or port, or a firewall's no.
bool is_unreachable(uint8_t type, uint8_t code, bool is_v6);

struct IcmpQuote {
  uint16_t offset = 0;  // of the quoted IP header in the error's IP packet
  uint8_t type = 0;
  uint8_t code = 0;
  uint32_t mtu = 0;  // that a "too big" reports (RFC 1191; RFC 4443 3.2), not checked; 0: none
};

// REQUIRES: `ip` begins at l3_offset of a frame that parsed as kIcmpError, and holds what parse_frame() saw
// of it.
IcmpQuote icmp_quote(std::span<const uint8_t> ip);

// True: `quoted` begins with a packet of that family from `source`, and `reversed` is its tuple with the ends
// exchanged. For an echo reply the source port then is the identifier, as with PacketKind::kEcho, and for
// protocols other than TCP and UDP ports are 0. False: it quotes too little, another's packet, or ICMP other
// than an echo reply (RFC 1122 3.2.2: no errors about errors).
// REQUIRES: `source` is no part of `reversed`.
bool read_quoted(std::span<const uint8_t> quoted, bool is_v6, const IpAddress& source, FlowKey& reversed);

struct TunnelQuote {
  uint16_t offset = 0;     // of the inner IP header in the error's IP packet
  bool is_v6 = false;      // the inner packet's family
  bool has_ports = false;  // 8 bytes of its TCP or UDP header are there, and it is no later fragment
  FlowKey key;             // of the inner packet as it was sent: not reversed, ports 0 without has_ports.
                           // Its protocol is an extension header's where the quote ends within those
};

// The inner packet of a quoted one of IPIP (4), IPv6 in IP (41), GRE (RFC 2784 and 2890: with or without
// checksum, key and sequence number) or GUE to `gue_port` (variants 0 and 1). Nothing: the quoted packet is
// no tunnel's, or the quote ends within the inner IP header (as one of 8 bytes always does).
// REQUIRES: as icmp_quote().
std::optional<TunnelQuote> tunnel_quote(std::span<const uint8_t> ip, uint16_t gue_port);

}  // namespace maglb
