// Where a flow goes, without making, changing or renewing anything: for packets that are about a flow and not
// of it.
#pragma once

#include <optional>

#include "lib/flow/flow_entry.h"
#include "lib/lb/worker_context.h"
#include "lib/snapshot/view/snapshot.h"

namespace maglb {

struct KnownBackend {
  const BackendView* backend = nullptr;  // null: the pool has none
  std::optional<FlowEntry> entry;        // that names it; nothing: the pool's table does
};

// The backend that the flow's entry names, of this worker's table or, within the budget, another's, while
// the backend may still have it; else the one of the pool's table.
KnownBackend known_backend(const FlowKey& flow, FlowDigest digest, const ServiceView& service,
                           const PoolView& pool, WorkerContext& worker, Time now);

}  // namespace maglb
