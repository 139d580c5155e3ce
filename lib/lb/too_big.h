// Packets that are longer than the link they would leave by takes, with what is put around them. None is
// handed to the driver as it is:
//
//   may not be fragmented (DF, or IPv6)   its sender is told the MTU less the overhead (RFC 1191, RFC 8201,
//                                         RFC 4459), within a budget; the packet is dropped
//   IPv6, and the MTU less the overhead   the outer packet is fragmented: IPv6 promises 1280 (RFC 2473, 7.1)
//   is under 1280 and the packet not over
//   may be fragmented                     as the service says: the outer packet is, which the backend puts
//                                         together, or the packet itself, each piece in an outer packet
//
// The pieces of a packet leave together or not at all: the first in its own buffer, the others as extra
// frames (extra_frames.h). A packet that came in several buffers is not cut, but dropped.
//
// No error is sent about an ICMP error, a later fragment, or an address that is no single host's (RFC 1122,
// 3.2.2; RFC 4443, 2.4).
#pragma once

#include "lib/lb/egress.h"

namespace maglb {

// Decides the packet. REQUIRES: it is too big for `egress`.
void handle_too_big(Batch& batch, size_t i, const Egress& egress, WorkerContext& worker, Time now);

}  // namespace maglb
