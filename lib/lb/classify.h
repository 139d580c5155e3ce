// Stage 2: which service a packet is for, and that service's pool.
#pragma once

#include "lib/lb/batch.h"
#include "lib/lb/decide.h"
#include "lib/lb/worker_context.h"
#include "lib/snapshot/view/snapshot.h"

namespace maglb {

// A fragment of TCP or UDP to a service's address is dropped; others are the kernel's.
void classify_fragment(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker);

// What matches no service is the kernel's. A packet of our own tunnel source would be encapsulated again,
// and is dropped (RFC 2003, 4). True: the packet is pending and its notes name service and pool.
// REQUIRES: the packet is pending.
inline bool classify(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker) {
  Batch::Notes& notes = batch.notes[i];
  if (notes.parsed.kind != PacketKind::kFlow) [[unlikely]] {
    classify_fragment(batch, i, snapshot, worker);
    return false;
  }
  const ServiceView* service = snapshot.services().find(notes.parsed.key);
  if (service == nullptr) [[unlikely]] {
    batch.verdicts[i] = Verdict::kKernel;
    return false;
  }
  const IpAddress& own = worker.own_source(notes.parsed.is_v6);
  if (notes.parsed.key.source.low() == own.low() && notes.parsed.key.source == own) [[unlikely]] {
    drop(batch, i, worker, DropReason::kLoop);
    return false;
  }
  notes.service = service;
  notes.pool = snapshot.pool_of(*service);
  worker.counters.services[service->counter].count(notes.parsed.l3_length);
  return true;
}

}  // namespace maglb
