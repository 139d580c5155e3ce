// Fragments for the addresses of services (RFC 791, RFC 8200 4.5). Each goes on as a packet of its own, as
// soon as the flow of its datagram is known; nothing is reassembled. With that flow's key a fragment is a
// packet like others: filters, flow table and encapsulation apply.
//
//   to no service's address        the kernel's
//   of TCP, UDP, or a protocol     the datagram's worker (owner_hash) has it: there the first fragment says
//   the hidden by extension headers    flow, and those before it wait (lib/flow/fragment_table.h) of another
//   protocol            needs no ports: goes by its addresses at once of ICMP, or of a flow that     the
//   kernel's, all of the datagram no service has
//
// The worker's caller plays his part once a burst, after process():
//
//   take_back(worker, now) hands out in turn
//     kReleased  buffers to be processed again in a Batch with is_released, whose packets are as they were
//     kDropped   buffers to be freed; they were counted
//   until it hands out none.
//
// A packet of kHeld counts in WorkerCounters::held until it comes back; it was counted as received.
// Thread: the worker.
#pragma once

#include <cstdint>
#include <span>

#include "lib/lb/batch.h"
#include "lib/lb/worker_context.h"
#include "lib/snapshot/view/snapshot.h"

namespace maglb {

// Decides the fragment (false), or sets its datagram's flow in the notes (true).
// REQUIRES: it parsed as kFragment. Without Batch::handles or a table none can wait: it is dropped.
bool find_flow_of_fragment(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now);

enum class TakenBack : uint8_t { kNone, kReleased, kDropped };
struct Returned {
  TakenBack kind = TakenBack::kNone;
  uint32_t count = 0;  // of `out`
};
// Ends what waited too long, too. REQUIRES: out.size() <= kBatchSize, `now` as of process().
Returned take_back(WorkerContext& worker, std::span<uintptr_t> out, Time now);

}  // namespace maglb
