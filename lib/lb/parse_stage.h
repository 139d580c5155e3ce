// Stage 1: reads every frame of the burst; decides what is malformed, and what is not for this port.
#pragma once

#include "lib/lb/batch.h"
#include "lib/lb/worker_context.h"

namespace maglb {

// Frames to another MAC address, and what no service can match, are the kernel's. Fragments stay
// pending with ports of zero.
void parse(Batch& batch, WorkerContext& worker);

}  // namespace maglb
