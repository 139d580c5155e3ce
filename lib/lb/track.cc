#include "lib/lb/track.h"

#include "lib/net/wire.h"
#include "lib/snapshot/view/validate.h"

namespace maglb {
namespace {

static_assert(kLongestTimeout <= Deadline::kLongest);
static_assert(ServiceTimeouts::kStates == kFlowStates);

// One packet with all that the rules ask about.
struct Case {
  const ServiceView& service;
  const PoolView& pool;
  FlowDigest digest;
  const FlowKey& key;
  uint8_t tcp_flags;
  Time now;
  Tick tick;

  bool is_tcp() const { return key.protocol == Protocol::kTcp; }
  bool is_syn() const { return is_tcp() && (tcp_flags & (kTcpSyn | kTcpAck)) == kTcpSyn; }
  bool ends_flow() const { return is_tcp() && (tcp_flags & (kTcpFin | kTcpRst)) != 0; }
  bool is_reset() const { return is_tcp() && (tcp_flags & kTcpRst) != 0; }
};

Case case_of(const Batch& batch, size_t i, Time now) {
  const Batch::Notes& notes = batch.notes[i];
  return {*notes.service,         *notes.pool, notes.digest, notes.parsed.key,
          notes.parsed.tcp_flags, now,         Tick::at(now)};
}

const BackendView* backend_of(const Case& c, const FlowEntry& entry) {
  return entry.backend.pool == c.pool.number ? Snapshot::backend(c.pool, entry.backend.place) : nullptr;
}

const BackendView* by_table(const Case& c) {
  return &c.pool.backends[c.pool.slots[c.pool.slot_of(c.key)]];
}

bool has_backends(const PoolView& pool) {
  return pool.slots[0] != kNoBackend;
}

// Where else a flow goes that has an entry: the place that it has now counts it already.
Choice choose_anew(const Case& c, WorkerContext& worker, const FlowEntry& entry) {
  const uint16_t own = entry.backend.pool == c.pool.number ? entry.backend.place : kNoBackend;
  return choose(c.is_syn() ? Asking::kNewFlow : Asking::kMovedFlow, c.pool, c.pool.slot_of(c.key), own,
                worker);
}

FlowState state_after(const Case& c, FlowState before) {
  if (!c.is_tcp()) {
    return FlowState::kUdp;
  }
  if (c.is_syn()) {
    return FlowState::kOpening;
  }
  return c.ends_flow() || before == FlowState::kClosing ? FlowState::kClosing : FlowState::kEstablished;
}

FlowEntry entry_of(const Case& c, uint16_t place, FlowState state) {
  const Duration timeout = timeout_of(c.service, state);
  const Deadline expires = Deadline::after(c.now, timeout + ServiceTimeouts::margin(timeout));
  return {{c.pool.number, place},
          state,
          c.pool.is_passive && state == FlowState::kOpening ? expires.marked(c.is_syn()) : expires};
}

bool store(const Case& c, WorkerContext& worker, const FlowEntry& entry) {
  const bool stored = worker.flows.store(c.digest, entry, c.tick);
  if (!stored) {
    worker.counters.count(Event::kFlowsNotStored);
  }
  return stored;
}

void count_new_flow(const Case& c, WorkerContext& worker, const BackendView& backend) {
  worker.counters.services[c.service.counter].new_flows.add(1);
  worker.counters.backends[backend.counter].new_flows.add(1);
}

// The flow stays where it is; its entry moves on. Written only when the state changes or less than the
// timeout is left, so that a busy flow does not dirty its line with every packet.
const BackendView* keep(const Case& c, WorkerContext& worker, const FlowEntry& entry,
                        const BackendView* backend, bool is_foreign) {
  const FlowState state = state_after(c, entry.state);
  if (c.is_syn() && entry.is_awaited() && worker.scheduling != nullptr) {
    worker.scheduling->flows.signal(entry.backend, Signal::kRepeated);
  }
  const bool is_due =
      entry.expires.units_left(c.tick) <= c.service.timeouts.renew_units[static_cast<size_t>(state)];
  if (state != entry.state || is_due || is_foreign) {
    store(c, worker, entry_of(c, entry.backend.place, state));
  }
  return backend;
}

const BackendView* reschedule(const Case& c, WorkerContext& worker, const FlowEntry& entry) {
  const Choice choice = has_backends(c.pool) ? choose_anew(c, worker, entry) : Choice{};
  if (choice.place == kNoBackend) {
    return nullptr;
  }
  const uint16_t place = choice.place;
  const BackendView& backend = c.pool.backends[place];
  const bool stored = store(c, worker, entry_of(c, place, state_after(c, entry.state)));
  if (!stored) {
    // Left as it was, the entry would name the old backend.
    worker.flows.erase(c.digest, c.tick);
  }
  if (place != entry.backend.place || entry.backend.pool != c.pool.number) {
    worker.counters.count(Event::kFlowsRescheduled);
  }
  if (!stored && c.is_syn()) {
    return by_table(c);
  }
  if (stored && c.is_syn()) {
    settle(choice, c.pool, worker);
    count_new_flow(c, worker, backend);
  }
  return &backend;
}

// A flow without an entry. A reset ends a flow that is not known; it is not worth an entry.
const BackendView* schedule(const Case& c, WorkerContext& worker) {
  if (!has_backends(c.pool)) {
    return nullptr;
  }
  const uint32_t slot = c.pool.slot_of(c.key);
  const BackendView& by_table = c.pool.backends[c.pool.slots[slot]];
  if (!c.service.track_flows || c.is_reset()) {
    return &by_table;
  }
  const bool opens = !c.is_tcp() || c.is_syn();
  const Choice choice =
      opens ? choose(Asking::kNewFlow, c.pool, slot, kNoBackend, worker) : Choice{c.pool.slots[slot]};
  if (choice.place == kNoBackend) {
    return nullptr;
  }
  if (!worker.flows.insert(c.digest, entry_of(c, choice.place, FlowState::kOpening), c.tick)) {
    worker.counters.count(Event::kFlowsNotStored);
    return &by_table;
  }
  if (opens) {
    settle(choice, c.pool, worker);
  }
  const BackendView& backend = c.pool.backends[choice.place];
  worker.counters.count(Event::kFlowsCreated);
  count_new_flow(c, worker, backend);
  return &backend;
}

// Another worker may know the flow, unless the packet opens one.
bool may_be_known_elsewhere(const Case& c, const WorkerContext& worker) {
  return worker.tables.size() > 1 && !c.is_syn();
}

std::optional<FlowEntry> find_in_other_tables(const Case& c, WorkerContext& worker) {
  if (!worker.foreign_budget.take(c.now)) {
    worker.counters.count(Event::kForeignLookupsSuppressed);
    return std::nullopt;
  }
  worker.counters.count(Event::kForeignLookups);
  for (const FlowTable* table : worker.tables) {
    if (table == &worker.flows) {
      continue;
    }
    if (const auto entry = table->find(c.digest, c.tick)) {
      return entry;
    }
  }
  return std::nullopt;
}

const BackendView* follow(const Case& c, WorkerContext& worker, const FlowEntry& entry, bool is_foreign) {
  const BackendView* backend = backend_of(c, entry);
  return entry_holds(entry, backend, c.is_syn(), c.is_tcp(), c.service.keep_on_failure)
             ? keep(c, worker, entry, backend, is_foreign)
             : reschedule(c, worker, entry);
}

// Another worker's entry is adopted by what is stored for this packet. It is never copied as it is: one
// that does not hold could bring back the name of a backend that the own sweep has already cleared.
const BackendView* track_unknown(const Case& c, WorkerContext& worker) {
  if (!may_be_known_elsewhere(c, worker)) {
    return schedule(c, worker);
  }
  const auto foreign = find_in_other_tables(c, worker);
  if (!foreign) {
    return schedule(c, worker);
  }
  const BackendView* backend = follow(c, worker, *foreign, true);
  if (worker.flows.find(c.digest, c.tick)) {
    worker.counters.count(Event::kFlowsAdopted);
  }
  return backend;
}

}  // namespace

bool entry_holds(const FlowEntry& entry, const BackendView* backend, bool is_syn, bool is_tcp,
                 bool keep_on_failure) {
  if (backend == nullptr) {
    return false;
  }
  switch (backend->state) {
    case PlaceState::kUp:
      return !is_syn || entry.state == FlowState::kOpening;
    case PlaceState::kDrain:
      return !is_syn;
    default:
      return keep_on_failure && is_tcp && !is_syn;
  }
}

bool entry_may_stay(const FlowEntry& entry, const Snapshot& snapshot) {
  if (!snapshot.has_removed()) {
    return true;
  }
  const PoolView* pool = snapshot.pool(entry.backend.pool);
  const BackendView* backend = pool == nullptr ? nullptr : Snapshot::backend(*pool, entry.backend.place);
  if (backend == nullptr) {
    return false;
  }
  return backend->state != PlaceState::kRemoved || pool->keep_on_failure;
}

void remember(const Batch& batch, size_t i, WorkerContext& worker, uint16_t place, Time now) {
  const Case c = case_of(batch, i, now);
  const auto entry = worker.flows.find(c.digest, c.tick);
  if (!entry) {
    if (!worker.flows.insert(c.digest, entry_of(c, place, FlowState::kUdp), c.tick)) {
      return worker.counters.count(Event::kFlowsNotStored);
    }
    worker.counters.count(Event::kFlowsCreated);
    return count_new_flow(c, worker, c.pool.backends[place]);
  }
  if (entry->backend.pool != c.pool.number || entry->backend.place != place) {
    worker.counters.count(Event::kFlowsRescheduled);
    store(c, worker, entry_of(c, place, FlowState::kUdp));
    return;
  }
  keep(c, worker, *entry, nullptr, false);
}

namespace {

const BackendView* backend_by_rules(const Case& c, WorkerContext& worker,
                                    const std::atomic<uint64_t>* found) {
  if (!c.service.track_flows) {
    return schedule(c, worker);
  }
  if (found != nullptr) {
    const FlowEntry entry = FlowValue(found->load(std::memory_order_relaxed)).entry();
    if (!entry.expires.reached(c.tick)) {
      return follow(c, worker, entry, false);
    }
    worker.flows.erase(c.digest, c.tick);  // as good as none: the flow begins anew
  }
  return track_unknown(c, worker);
}

}  // namespace

const BackendView* track_by_rules(Batch& batch, size_t i, WorkerContext& worker, Time now,
                                  const std::atomic<uint64_t>* found) {
  const Case c = case_of(batch, i, now);
  const BackendView* const backend = backend_by_rules(c, worker, found);
  if (backend == nullptr) {
    drop(batch, i, worker, has_backends(c.pool) ? DropReason::kBackendsFull : DropReason::kNoBackend);
  }
  return backend;
}

}  // namespace maglb
