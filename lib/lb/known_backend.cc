#include "lib/lb/known_backend.h"

#include "lib/lb/track.h"

namespace maglb {
namespace {

std::optional<FlowEntry> find_anywhere(FlowDigest digest, WorkerContext& worker, Time now) {
  const Tick tick = Tick::at(now);
  if (const auto entry = worker.flows.find(digest, tick)) {
    return entry;
  }
  if (worker.tables.size() <= 1) {
    return std::nullopt;
  }
  if (!worker.foreign_budget.take(now)) {
    worker.counters.count(Event::kForeignLookupsSuppressed);
    return std::nullopt;
  }
  worker.counters.count(Event::kForeignLookups);
  for (const FlowTable* table : worker.tables) {
    if (table == &worker.flows) {
      continue;
    }
    if (const auto entry = table->find(digest, tick)) {
      return entry;
    }
  }
  return std::nullopt;
}

}  // namespace

KnownBackend known_backend(const FlowKey& flow, FlowDigest digest, const ServiceView& service,
                           const PoolView& pool, WorkerContext& worker, Time now) {
  const auto entry = service.track_flows ? find_anywhere(digest, worker, now) : std::nullopt;
  if (entry && entry->backend.pool == pool.number) {
    const BackendView* backend = Snapshot::backend(pool, entry->backend.place);
    if (entry_holds(*entry, backend, false, flow.protocol == Protocol::kTcp, service.keep_on_failure)) {
      return {backend, entry};
    }
  }
  const uint16_t place = pool.slots[pool.slot_of(flow)];
  return {place == kNoBackend ? nullptr : &pool.backends[place], std::nullopt};
}

}  // namespace maglb
