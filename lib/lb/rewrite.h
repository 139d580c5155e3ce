// Stage 4: the frame as it leaves. The inner packet is delivered bit for bit.
#pragma once

#include "lib/lb/batch.h"
#include "lib/lb/worker_context.h"

namespace maglb {

// A packet that would exceed the egress MTU is not sent: with DF its frame becomes an ICMP
// "fragmentation needed" to the sender (RFC 1191; the MTU less the overhead, rate-limited), which is
// counted as originated while the packet is counted as dropped; without DF it is dropped.
void rewrite(Batch& batch, WorkerContext& worker, Time now);

}  // namespace maglb
