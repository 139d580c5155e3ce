// Stage 2: which service a packet is for, and that service's pool.
#pragma once

#include "lib/lb/batch.h"
#include "lib/lb/worker_context.h"
#include "lib/snapshot/view/snapshot.h"

namespace maglb {

// What matches no service is the kernel's. A fragment to a service's address has no port to match by
// and is dropped; so is a packet of our own tunnel source, which would be encapsulated again (RFC
// 2003, 4).
void classify(Batch& batch, const Snapshot& snapshot, WorkerContext& worker);

}  // namespace maglb
