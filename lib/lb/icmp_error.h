// ICMP errors that arrive (RFC 7690): one about a packet that a service's backend sent goes to that backend,
// by the tuple that it quotes, reversed. Whichever worker or balancer has received it: the tables of all
// workers are asked, and then the pool's.
//
// One about our own tunnel comes to the tunnel's source. Whom it concerns is the client whose packet was in
// the tunnel: a "too big" is told on to it, with the MTU less what the tunnel adds (RFC 2003, 5.1; RFC 2473,
// 8; RFC 4459), where the quote holds enough of its packet.
#pragma once

#include "lib/lb/batch.h"
#include "lib/lb/worker_context.h"

namespace maglb {

// Decides the packet. REQUIRES: it parsed as kIcmpError.
void forward_icmp_error(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now);

}  // namespace maglb
