#include "dataplane/worker.h"

#include <rte_ethdev.h>
#include <sys/prctl.h>

#include <algorithm>
#include <new>
#include <utility>

#include "dataplane/mbuf_batch.h"
#include "lib/base/check.h"
#include "lib/lb/fragments.h"
#include "lib/lb/nat.h"
#include "lib/lb/pipeline.h"

namespace maglb {
namespace {

// Empty rounds before the first sleep: a gap within a burst of traffic is shorter.
constexpr uint32_t kPatience = 64;

// An entry keeps 46 bits of its flow's digest, and which bucket it lies in says log2(buckets) more
// (lib/flow/flow_digest.h): with no fewer buckets than these an entry is known by 64 bits at least.
constexpr size_t kLeastBuckets = size_t{1} << 18;

// Buffers that wait, of all workers together: all may be of one receive queue, which must not run dry.
constexpr uint32_t kMostHeld = 1024;
constexpr uint64_t kFragmentTableBytes = uint64_t{420} << 10;

FragmentTable::Limits fragment_limits(uint32_t workers) {
  FragmentTable::Limits limits;
  limits.held = std::clamp(kMostHeld / workers, 2 * limits.held_each, limits.held);
  limits.unpolled = kBatchSize;
  return limits;
}

size_t buckets_for(size_t flow_entries) {
  return std::max(FlowTable::buckets_for(flow_entries), kLeastBuckets);
}

uint64_t nat_bytes(const NatPorts* ports) {
  return ports == nullptr ? 0
                          : NatTable::size_bytes_for(ports->addresses().size(),
                                                     ports->share() * ports->workers(), ports->workers());
}

// Of the table, or what goes for a schedule that nobody asks.
size_t nat_slots(const NatPorts* ports) {
  return ports == nullptr ? 1 : 2 * ports->addresses().size() * ports->share();
}

}  // namespace

Worker::Worker(const Place& place, const Shared& shared, const std::atomic<const Snapshot*>& published,
               size_t flow_entries, std::pmr::memory_resource* memory)
    : memory_(memory),
      place_(place),
      shared_(shared),
      published_(published),
      ports_(shared.ports.begin(), shared.ports.end(), &memory_),
      tables_(&memory_),
      inboxes_(&memory_),
      rx_(&memory_),
      buckets_(buckets_for(flow_entries), &memory_),
      flows_(buckets_),
      counters_(shared.services_limit, shared.backends_limit, &memory_),
      scheduling_(place.number, shared.workers, shared.flow_key, shared.pools_limit, shared.backends_limit,
                  &memory_),
      inbox_(&memory_),
      fragments_(shared.flow_key, fragment_limits(shared.workers), FragmentTable::kLifetime, &memory_),
      context_{flows_,
               {},
               counters_,
               shared.next_hops,
               ports_,
               shared.flow_key,
               shared.tunnel_source,
               shared.tunnel_source_v6,
               shared.path,
               &memory_},
      outgoing_(&memory_),
      schedule_(buckets_.size(), shared.clock.hz()),
      nat_schedule_(nat_slots(shared.nat_ports), shared.clock.hz()),
      idle_(&memory_) {
  context_.number = place.number;
  // Pieces of two workers' packets must not have one identification at a time: they begin apart.
  context_.next_ip_id = static_cast<uint16_t>(shared.flow_key.k0 + place.number * (0x10000 / shared.workers));
  if (shared.nat_ports != nullptr) {
    nat_.emplace(*shared.nat_ports, place.number, nat_port_key(shared.flow_key), NatTable::kDefaultQuarantine,
                 &memory_);
    context_.nat = &*nat_;
    nat_->count_in(&scheduling_.flows);
  }
  flows_.count_in(&scheduling_.flows);
  context_.scheduling = &scheduling_;
  context_.workers = shared.workers;
  context_.fragments = &fragments_;
}

// What waits still is nobody's.
Worker::~Worker() {
  fragments_.clear();
  std::array<DroppedFragment, kBatchSize> dropped;
  while (const size_t count = fragments_.take_dropped(dropped)) {
    for (size_t i = 0; i < count; ++i) {
      rte_pktmbuf_free(reinterpret_cast<rte_mbuf*>(dropped[i].handle));
    }
  }
}

Worker::Owner Worker::create(const Place& place, const Shared& shared,
                             const std::atomic<const Snapshot*>& published, size_t flow_entries,
                             std::pmr::memory_resource* memory) {
  static_assert(sizeof(Worker) % kLine == 0);
  void* room = memory->allocate(sizeof(Worker), alignof(Worker));
  try {
    return Owner(new (room) Worker(place, shared, published, flow_entries, memory), Free{memory});
  } catch (const std::bad_alloc&) {
    memory->deallocate(room, sizeof(Worker), alignof(Worker));
    throw;
  }
}

void Worker::Free::operator()(Worker* worker) const {
  worker->~Worker();
  memory->deallocate(worker, sizeof(Worker), alignof(Worker));
}

uint64_t Worker::memory_bytes(size_t flow_entries, const NatPorts* nat_ports, size_t services_limit,
                              size_t backends_limit, size_t pools_limit) {
  return sizeof(Worker) + buckets_for(flow_entries) * sizeof(FlowTable::Bucket) + nat_bytes(nat_ports) +
         Inbox::memory_bytes() + kFragmentTableBytes +
         (services_limit + backends_limit) * sizeof(TrafficCounters) +
         backends_limit * (2 * sizeof(uint32_t) + BackendSignals::kBytesEach) +
         pools_limit * sizeof(uint64_t);
}

std::vector<LineMemory::Range> Worker::memory() const {
  std::vector<LineMemory::Range> ranges = memory_.ranges();
  ranges.emplace_back(reinterpret_cast<const std::byte*>(this), sizeof *this);
  return ranges;
}

void Worker::connect(std::span<const FlowTable* const> tables, std::span<Inbox* const> inboxes,
                     std::span<const RxQueue> rx, std::span<const QueueId> tx) {
  check(inboxes.size() == shared_.workers && inboxes.size() <= kMostWorkers, "an inbox a worker");
  inboxes_.assign(inboxes.begin(), inboxes.end());
  tables_.assign(tables.begin(), tables.end());
  context_.tables = tables_;
  rx_.assign(rx.begin(), rx.end());
  context_.extra = ExtraFrames(mbufs_of(buffers_));
  outgoing_.resize(tx.size());
  for (size_t port = 0; port < tx.size(); ++port) {
    outgoing_[port].queue = tx[port];
  }
  idle_.watch(rx_, inbox_.wake_fd());
}

// One reading of the time-stamp counter a round: a round ends when the next begins.
void Worker::run() {
  // A nap of 20 us is to last 20 us, not the 70 that the kernel's default slack makes of it.
  prctl(PR_SET_TIMERSLACK, 1UL);
  shared_.grace.online(place_.number);
  uint32_t idle_rounds = 0;
  uint64_t begin = read_tsc();
  while (!shared_.stop.load(std::memory_order_relaxed)) {
    // Pairs with the release in Publisher::publish().
    const Snapshot* snapshot = published_.load(std::memory_order_acquire);
    uint32_t received = 0;
    if (snapshot != nullptr) {
      for (const RxQueue& queue : rx_) {
        received += serve(queue, *snapshot, begin);
      }
      received += serve_inbox(*snapshot, begin);
      settle_fragments(*snapshot, shared_.clock.at(begin));
      sweep_due(*snapshot, begin);
      if (nat_) {
        nat_enquiry_.answer(*nat_, shared_.clock.at(begin));
      }
    }
    shared_.grace.quiescent(place_.number);
    idle_rounds = received == 0 ? idle_rounds + 1 : 0;
    const bool is_patient = idle_rounds < kPatience || (snapshot != nullptr && is_sweep_due(begin));
    if (received == 0 && (shared_.idle == IdlePolicy::kPoll || is_patient)) {
      __builtin_ia32_pause();
    } else if (received == 0) {
      rest(snapshot != nullptr);
    }
    const uint64_t end = read_tsc();
    busy_cycles_.add(received != 0 ? end - begin : 0);
    total_cycles_.add(end - begin);
    begin = end;
  }
  shared_.grace.offline(place_.number);
}

uint32_t Worker::serve(const RxQueue& queue, const Snapshot& snapshot, uint64_t tsc) {
  rte_mbuf* mbufs[kBatchSize];
  const uint16_t count = rte_eth_rx_burst(queue.id.device, queue.id.queue, mbufs, kBatchSize);
  if (count == 0) {
    return 0;
  }
  begin_burst();
  buffers_ = mbufs[0]->pool;
  load_batch(batch_, mbufs, count, queue.port, context_);
  work(mbufs, snapshot, shared_.clock.at(tsc));
  return count;
}

// A burst that others handed over is one as from a queue.
uint32_t Worker::serve_inbox(const Snapshot& snapshot, uint64_t tsc) {
  rte_mbuf* mbufs[kBatchSize];
  const uint32_t count = inbox_.take(mbufs);
  if (count == 0) {
    return 0;
  }
  begin_burst();
  buffers_ = mbufs[0]->pool;
  load_taken(batch_, mbufs, static_cast<uint16_t>(count), context_);
  batch_.is_handed = true;
  work(mbufs, snapshot, shared_.clock.at(tsc));
  return count;
}

void Worker::work(rte_mbuf** mbufs, const Snapshot& snapshot, Time now) {
  batch_.handles = reinterpret_cast<void* const*>(mbufs);
  process(batch_, snapshot, context_, now);
  dispatch(mbufs);
  if (!batch_.is_released) {
    settle_fragments(snapshot, now);
  }
}

// What waited and may go, and what waited for nothing.
void Worker::settle_fragments(const Snapshot& snapshot, Time now) {
  if (fragments_.size() == 0 && !fragments_.has_any()) {
    return;
  }
  begin_burst();
  std::array<uintptr_t, kBatchSize> handles;
  rte_mbuf* mbufs[kBatchSize];
  for (;;) {
    const Returned returned = take_back(context_, handles, now);
    std::transform(handles.begin(), handles.begin() + returned.count, mbufs,
                   [](uintptr_t handle) { return reinterpret_cast<rte_mbuf*>(handle); });
    if (returned.kind == TakenBack::kNone) {
      return;
    }
    if (returned.kind == TakenBack::kDropped) {
      rte_pktmbuf_free_bulk(mbufs, returned.count);
      continue;
    }
    load_taken(batch_, mbufs, static_cast<uint16_t>(returned.count), context_);
    batch_.is_released = true;
    work(mbufs, snapshot, now);
  }
}

// Pairs with figures(): who sees a count of this burst sees that it has begun.
void Worker::begin_burst() {
  bursts_.store(bursts_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
}

// Sorts the burst by where it goes: a port, another worker, or nowhere. No driver here has a way to hand a
// received packet to the kernel: the steering program leaves the kernel's packets to it before they reach us.
void Worker::dispatch(rte_mbuf** mbufs) {
  if (batch_.handed_over != 0) [[unlikely]] {
    hand_over(mbufs);
  }
  rte_mbuf* dropped[kBatchSize];
  unsigned dropped_count = 0;
  uint64_t without_path = 0;
  for (uint32_t i = 0; i < batch_.size; ++i) {
    if (batch_.verdicts[i] == Verdict::kSend) {
      store_packet(batch_.packets[i], *mbufs[i]);
      if (mbufs[i]->nb_segs == 1 || outgoing_[batch_.out_ports[i]].queue.takes_segments) [[likely]] {
        send(batch_.out_ports[i], mbufs[i]);
        continue;
      }
      counters_.drop(DropReason::kMultiSegment);
    }
    if (batch_.verdicts[i] == Verdict::kHandOver) {
      continue;
    }
    if (batch_.verdicts[i] == Verdict::kHeld) {
      on_its_way(batch_.packets[i], *mbufs[i]);
      continue;
    }
    without_path += batch_.verdicts[i] == Verdict::kKernel ? 1 : 0;
    dropped[dropped_count++] = mbufs[i];
  }
  for (const ExtraFrame& frame : context_.extra.list()) {
    auto* const mbuf = static_cast<rte_mbuf*>(frame.handle);
    store_packet(frame.packet, *mbuf);
    send(frame.out_port, mbuf);
  }
  context_.extra.clear();
  if (without_path != 0) {
    counters_.drop(DropReason::kNoKernelPath, without_path);
  }
  if (dropped_count != 0) {
    rte_pktmbuf_free_bulk(dropped, dropped_count);
  }
  for (Outgoing& out : outgoing_) {
    if (out.count != 0) {
      transmit(out);
    }
  }
}

// A burst alone fits; extra frames may be more.
void Worker::send(uint8_t port, rte_mbuf* mbuf) {
  Outgoing& out = outgoing_[port];
  if (out.count == out.mbufs.size()) {
    transmit(out);
  }
  out.mbufs[out.count++] = mbuf;
}

// Those for the same worker together, in their order.
void Worker::hand_over(rte_mbuf** mbufs) {
  std::array<rte_mbuf*, kBatchSize> together;
  uint32_t left = batch_.handed_over;
  for (uint32_t target = 0; left != 0; ++target) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch_.size; ++i) {
      if (batch_.verdicts[i] == Verdict::kHandOver && batch_.targets[i] == target) {
        on_its_way(batch_.packets[i], *mbufs[i]);
        together[count++] = mbufs[i];
      }
    }
    left -= count;
    put(target, std::span(together).first(count));
  }
}

// What there is no room for was not received by anybody else.
void Worker::put(uint32_t target, std::span<rte_mbuf* const> packets) {
  const uint32_t taken = packets.empty() ? 0 : inboxes_[target]->put(packets);
  const std::span<rte_mbuf* const> refused = packets.subspan(taken);
  counters_.received.add(refused.size());
  counters_.drop(DropReason::kHandOverFull, refused.size());
  for (rte_mbuf* mbuf : refused) {
    rte_pktmbuf_free(mbuf);
  }
}

// A driver that takes a part is asked once more: AF_XDP makes room while it is being asked.
void Worker::transmit(Outgoing& out) {
  const QueueId queue = out.queue;
  uint16_t sent = rte_eth_tx_burst(queue.device, queue.queue, out.mbufs.data(), out.count);
  if (sent < out.count) {
    sent = static_cast<uint16_t>(sent + rte_eth_tx_burst(queue.device, queue.queue, out.mbufs.data() + sent,
                                                         static_cast<uint16_t>(out.count - sent)));
  }
  counters_.sent.add(sent);
  if (sent < out.count) {
    const auto left = static_cast<unsigned>(out.count - sent);
    counters_.drop(DropReason::kTxFull, left);
    rte_pktmbuf_free_bulk(out.mbufs.data() + sent, left);
  }
  out.count = 0;
}

Worker::Figures Worker::figures() const {
  constexpr int kAttempts = 100;
  Figures figures;
  for (int i = 0; i < kAttempts; ++i) {
    const uint64_t burst = bursts_.load(std::memory_order_acquire);
    figures.received = counters_.received.value();
    figures.originated = counters_.originated.value();
    figures.sent = counters_.sent.value();
    figures.to_kernel = counters_.to_kernel.value();
    figures.held = counters_.held.value();
    for (size_t reason = 0; reason < kDropReasons; ++reason) {
      figures.dropped[reason] = counters_.dropped[reason].value();
    }
    // Pairs with the fence in serve().
    std::atomic_thread_fence(std::memory_order_acquire);
    if (bursts_.load(std::memory_order_relaxed) == burst) {
      break;
    }
  }
  return figures;
}

void Worker::sweep_due(const Snapshot& snapshot, uint64_t tsc) {
  if (schedule_.due(tsc)) {
    sweep(snapshot, shared_.clock.at(tsc));
    schedule_.done(tsc);
  }
  if (nat_ && nat_schedule_.due(tsc)) {
    if (sweep_nat(context_, nat_schedule_.slice(), snapshot, shared_.clock.at(tsc))) {
      // As of passes_.
      nat_passes_.store(nat_passes_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    nat_schedule_.done(tsc);
  }
}

void Worker::sweep(const Snapshot& snapshot, Time now) {
  const size_t before = flows_.size();
  count_flows_by(snapshot, &scheduling_);
  flows_.let_move_behind(!snapshot.has_removed());
  const bool passed = flows_.sweep(schedule_.slice(), Tick::at(now),
                                   [&](const FlowEntry& entry) { return entry_may_stay(entry, snapshot); });
  counters_.count(Event::kFlowsExpired, before - flows_.size());
  if (passed) {
    // Pairs with the acquire in passes(): who sees the pass sees what it erased.
    passes_.store(passes_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
}

// A sleeping worker holds no snapshot: publication does not wait for it. Before the first snapshot
// packets stay where they are, and would wake it for nothing.
void Worker::rest(bool is_serving) {
  shared_.grace.offline(place_.number);
  if (is_serving) {
    if (inbox_.may_sleep()) {
      idle_.sleep();
      inbox_.is_awake();
    }
  } else {
    IdleWait::sleep_regardless();
  }
  shared_.grace.online(place_.number);
}

}  // namespace maglb
