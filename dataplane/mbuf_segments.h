// Packets in more than one mbuf: jumbo frames of drivers that scatter, and what a host merged before it sent
// it. The path reads their first bytes only, and writes in front of them.
#pragma once

#include "lib/lb/packet.h"

struct rte_mbuf;

namespace maglb {

// Makes `packet` show the mbuf's whole chain: its first kSegmentHead bytes, or all it has, lie in the first
// segment afterwards. False: that has no room for them, a later segment is shared, or the packet is longer
// than 65,535 bytes.
// REQUIRES: `packet` shows the first segment.
bool show_segments(rte_mbuf& mbuf, Packet& packet);

// The chain becomes what the path made of the packet: longer in front, or shorter at the end, of which
// segments that are no longer needed are freed.
void store_segments(const Packet& packet, rte_mbuf& mbuf);

}  // namespace maglb
