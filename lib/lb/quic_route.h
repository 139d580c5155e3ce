// QUIC packets whose connection id names a server: they go to it, whatever address they come from, so that
// a client that moves keeps its backend. All others (the first of a connection, whose id the client chose,
// ids that no server has) go by the flow's entry and the pool's table, like any datagram.
#pragma once

#include "lib/lb/batch.h"
#include "lib/lb/worker_context.h"

namespace maglb {

// True: the packet's connection id named a backend that is up or draining, and the packet is decided. A flow
// of its address then has an entry that names that backend, too, for packets that are not routed by an id.
// REQUIRES: the notes name a service that routes by connection id, and its pool.
bool route_by_connection_id(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker,
                            Time now);

}  // namespace maglb
