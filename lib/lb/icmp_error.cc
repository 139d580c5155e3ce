#include "lib/lb/icmp_error.h"

#include "lib/lb/decide.h"
#include "lib/lb/known_backend.h"
#include "lib/lb/nat.h"
#include "lib/lb/rewrite.h"
#include "lib/lb/tunnel_error.h"

namespace maglb {

void forward_icmp_error(Batch& batch, size_t i, const Snapshot& snapshot, WorkerContext& worker, Time now) {
  Batch::Notes& notes = batch.notes[i];
  if (take_nat_error(batch, i, snapshot, worker, now)) {
    return;
  }
  const FlowKey& flow = notes.parsed.key;  // of the flow that the error is about
  if (worker.own_source(notes.parsed.is_v6).contains(flow.destination) &&
      take_tunnel_error(batch, i, snapshot, worker, now)) {
    return;
  }
  const ServiceView* service = snapshot.services().find(flow);
  if (service == nullptr) {
    batch.verdicts[i] = Verdict::kKernel;
    return;
  }
  notes.service = service;
  notes.pool = snapshot.pool_of(*service);
  notes.digest = worker.flow_hash.digest(flow, service->id);
  if ((service->special & ServiceView::kTranslate) != 0) {
    return nat_error_to_backend(batch, i, snapshot, worker, now);
  }
  notes.backend = known_backend(flow, notes.digest, *service, *notes.pool, worker, now).backend;
  if (notes.backend == nullptr) {
    return drop(batch, i, worker, DropReason::kNoBackend);
  }
  worker.counters.count(Event::kIcmpErrorsForwarded);
  rewrite_uncommon(batch, i, snapshot, worker, now);
}

}  // namespace maglb
