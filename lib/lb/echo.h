// Pings to a service's address. They are answered here, also when no backend is up: what answers is the
// balancer. A service may ask to have them forwarded; they then go by the pool's table, as flows of their
// own that nobody remembers.
#pragma once

#include "lib/lb/batch.h"
#include "lib/lb/worker_context.h"

namespace maglb {

// Decides the packet. REQUIRES: it parsed as kEcho.
void take_echo_request(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now);

}  // namespace maglb
