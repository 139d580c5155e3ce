// ICMP errors that come to a tunnel's source, about our own tunnel packets (RFC 2003, 5; RFC 2473, 8;
// RFC 4459, 3.2). The way to a backend narrower than the link that it begins with is the one thing that a
// client can do something about: it is told the MTU less what the tunnel adds.
//
//   error | outer header | shim | client's packet, in part     as it arrives
//   "too big" from the service's address | client's packet     as it leaves, by the way that the error came
//
// An error is believed if the client's packet, as it is quoted, is of a service that has such a tunnel and of
// a flow that goes to the backend whom the outer packet was for. All others about tunnels are dropped; UDP
// that is not believed to be a tunnel, and all else, may be the machine's own or a service's.
//
// One that says "unreachable" of a flow that is opening is a signal of its backend
// (lib/flow/backend_signals.h).
//
// Not done: to remember the MTU of a way. A client whose way is left less than 1280 of IPv6 (68 of IPv4)
// cannot be helped: raise the MTU up to the backend, or lower that of the port.
#pragma once

#include "lib/lb/batch.h"
#include "lib/lb/worker_context.h"

namespace maglb {

// True: the packet is decided. False: it is about no tunnel of ours. REQUIRES: it parsed as kIcmpError, and
// its destination is a tunnel source of ours.
bool take_tunnel_error(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now);

}  // namespace maglb
