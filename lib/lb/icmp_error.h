// ICMP errors that the balancer originates.
#pragma once

#include <cstdint>
#include <span>

#include "lib/lb/batch.h"
#include "lib/net/parse.h"

namespace maglb {

// Turns the frame in place into "destination unreachable, fragmentation needed and DF set" (RFC 792,
// RFC 1191) to its sender: from the service's address, back to the MAC it came from, quoting up to
// 548 bytes of the packet (RFC 1812 4.3.2.3: as much as keeps the message within 576).
// REQUIRES: the frame parsed as kFlow, and its IP packet is longer than 56 bytes, as one that is too
// big for any MTU is.
void become_fragmentation_needed(Packet& packet, const ParsedFrame& parsed, uint16_t next_hop_mtu);

}  // namespace maglb
