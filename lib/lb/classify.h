// Stage 2: which service a packet is for, and that service's pool.
#pragma once

#include "lib/lb/batch.h"
#include "lib/lb/decide.h"
#include "lib/lb/worker_context.h"
#include "lib/snapshot/view/snapshot.h"

namespace maglb {

// Every packet: of any kind, of services that match more than one address and port, and of those that ask
// for more than to be tracked. Returns as classify().
bool classify_uncommon(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now);

// What matches no service is the kernel's. A packet of our own tunnel source would be encapsulated again,
// and is dropped (RFC 2003, 4). True: the packet is pending and its notes name service and pool.
// REQUIRES: the packet is pending.
inline bool classify(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now) {
  Batch::Notes& notes = batch.notes[i];
  const ServiceView* service = snapshot.services().find_exact(notes.parsed.key);
  if (service == nullptr || service->special != 0 || notes.parsed.kind != PacketKind::kFlow) [[unlikely]] {
    return classify_uncommon(batch, i, snapshot, worker, now);
  }
  if (worker.own_source(notes.parsed.is_v6).contains(notes.parsed.key.source)) [[unlikely]] {
    drop(batch, i, worker, DropReason::kLoop);
    return false;
  }
  notes.service = service;
  notes.pool = snapshot.pool_of(*service);
  worker.counters.services[service->counter].count(notes.parsed.l3_length);
  return true;
}

}  // namespace maglb
