#include "dataplane/worker.h"

#include <rte_ethdev.h>
#include <sys/prctl.h>

#include <algorithm>
#include <new>
#include <utility>

#include "dataplane/mbuf_batch.h"
#include "lib/lb/pipeline.h"

namespace maglb {
namespace {

// Empty rounds before the first sleep: a gap within a burst of traffic is shorter.
constexpr uint32_t kPatience = 64;

// An entry keeps 46 bits of its flow's digest, and which bucket it lies in says log2(buckets) more
// (lib/flow/flow_digest.h): with no fewer buckets than these an entry is known by 64 bits at least.
constexpr size_t kLeastBuckets = size_t{1} << 18;

size_t buckets_for(size_t flow_entries) {
  return std::max(FlowTable::buckets_for(flow_entries), kLeastBuckets);
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
      rx_(&memory_),
      buckets_(buckets_for(flow_entries), &memory_),
      flows_(buckets_),
      counters_(shared.services_limit, shared.backends_limit, &memory_),
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
      idle_(&memory_) {}

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

uint64_t Worker::memory_bytes(size_t flow_entries, size_t services_limit, size_t backends_limit) {
  return sizeof(Worker) + buckets_for(flow_entries) * sizeof(FlowTable::Bucket) +
         (services_limit + backends_limit) * sizeof(TrafficCounters);
}

std::vector<LineMemory::Range> Worker::memory() const {
  std::vector<LineMemory::Range> ranges = memory_.ranges();
  ranges.emplace_back(reinterpret_cast<const std::byte*>(this), sizeof *this);
  return ranges;
}

void Worker::connect(std::span<const FlowTable* const> tables, std::span<const RxQueue> rx,
                     std::span<const QueueId> tx) {
  tables_.assign(tables.begin(), tables.end());
  context_.tables = tables_;
  rx_.assign(rx.begin(), rx.end());
  outgoing_.resize(tx.size());
  for (size_t port = 0; port < tx.size(); ++port) {
    outgoing_[port].queue = tx[port];
  }
  idle_.watch(rx_);
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
      if (schedule_.due(begin)) {
        sweep(*snapshot, shared_.clock.at(begin));
        schedule_.done(begin);
      }
    }
    shared_.grace.quiescent(place_.number);
    idle_rounds = received == 0 ? idle_rounds + 1 : 0;
    const bool is_patient = idle_rounds < kPatience || (snapshot != nullptr && schedule_.due(begin));
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
  // Pairs with figures(): who sees a count of this burst sees that it has begun.
  bursts_.store(bursts_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  load_batch(batch_, mbufs, count, queue.port, context_);
  process(batch_, snapshot, context_, shared_.clock.at(tsc));
  dispatch(mbufs);
  return count;
}

// Sorts the burst by where it goes: a port, or nowhere. No driver here has a way to hand a received
// packet to the kernel: the steering program leaves the kernel's packets to it before they reach us.
void Worker::dispatch(rte_mbuf** mbufs) {
  rte_mbuf* dropped[kBatchSize];
  unsigned dropped_count = 0;
  uint64_t without_path = 0;
  for (uint32_t i = 0; i < batch_.size; ++i) {
    if (batch_.verdicts[i] == Verdict::kSend) {
      store_packet(batch_.packets[i], *mbufs[i]);
      Outgoing& out = outgoing_[batch_.out_ports[i]];
      out.mbufs[out.count++] = mbufs[i];
      continue;
    }
    without_path += batch_.verdicts[i] == Verdict::kKernel ? 1 : 0;
    dropped[dropped_count++] = mbufs[i];
  }
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

void Worker::sweep(const Snapshot& snapshot, Time now) {
  const size_t before = flows_.size();
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
    idle_.sleep();
  } else {
    IdleWait::sleep_regardless();
  }
  shared_.grace.online(place_.number);
}

}  // namespace maglb
