// ICMP errors about translated packets: what they quote is turned back into what its sender had sent, as that
// would know nothing of the other.
//
//   from the backend's side, about (nat -> backend)  -> to the client, about (client -> service)
//   from the client's side, about (service -> client) -> to the backend, about (backend -> nat)
//
// The outer source becomes the service's address, or the nat address: who lies behind it, router or host, is
// not the other side's concern, and its address may mean nothing there. A quoted segment's sequence number
// is shifted back (lib/flow/nat_stream.h); where it carried the PROXY header, its length and an MTU that the
// error tells are lowered by the header's length.
//
// Errors are: ICMP 3, 11, 12 (RFC 792), ICMPv6 1 to 4 (RFC 4443). Bytes come from anywhere: every length is
// checked, and the error's own checksum, before anything is changed; it is computed anew behind that.
//
// Threads: no state.
#pragma once

#include <cstdint>
#include <optional>

#include "lib/flow/nat_session.h"
#include "lib/lb/nat_translate.h"
#include "lib/net/flow_key.h"

namespace maglb {

// What an error says of a packet.
struct NatQuote {
  FlowKey key;        // as the quoted packet had it
  uint16_t icmp = 0;  // offset of the ICMP header
  uint16_t ip = 0;    // of the quoted IP header
  uint16_t l4 = 0;    // of the quoted TCP or UDP header; at least 8 bytes of it are there
};

// None: no intact error that quotes a TCP or UDP packet; it quotes a later fragment; or it did not come to
// whom the quoted packet is from, as every error does.
// `packet.l4_offset` is not looked at. REQUIRES: `length` readable bytes; nothing else.
std::optional<NatQuote> parse_quote(const NatPacket& packet);

// Unless kTranslated, nothing has changed. REQUIRES: `quote` of this packet, whose key is of the session:
// (nat -> backend) for to the client, (service -> client) for to the backend.
NatResult error_to_client(NatPacket& packet, const NatQuote& quote, const NatSession& session);
NatResult error_to_backend(NatPacket& packet, const NatQuote& quote, const NatSession& session);

}  // namespace maglb
