#include "dataplane/worker.h"

#include <rte_ethdev.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "dataplane/mbuf_batch.h"
#include "lib/lb/pipeline.h"

namespace maglb {
namespace {

// A pass of the sweep takes about this long, so an expired entry is gone that much later at most, and
// a removed backend's place is free after some of them.
constexpr Duration kSweepPass = std::chrono::seconds(1);
// Bounds what one round spends on it: 64 buckets are 8 KiB.
constexpr uint64_t kSweepSlice = 64;

// Empty rounds before the first rest: a gap within a burst of traffic is shorter.
constexpr uint32_t kPatience = 64;
constexpr uint32_t kShortestRestUs = 10;
constexpr uint32_t kLongestRestUs = 100;

}  // namespace

Worker::Worker(const Place& place, const Shared& shared, const std::atomic<const Snapshot*>& published,
               size_t flow_entries, std::pmr::memory_resource* memory)
    : place_(place),
      shared_(shared),
      published_(published),
      buckets_(FlowTable::buckets_for(flow_entries), memory),
      flows_(buckets_),
      counters_(shared.services_limit, shared.backends_limit),
      context_{flows_, {}, counters_, shared.next_hops, shared.ports, shared.flow_key, shared.tunnel_source} {
}

void Worker::connect(std::span<const FlowTable* const> tables, std::vector<RxQueue> rx,
                     std::vector<QueueId> tx) {
  context_.tables = tables;
  rx_ = std::move(rx);
  tx_ = std::move(tx);
  outgoing_.resize(tx_.size());
}

void Worker::run() {
  // A rest of 10 us is to last 10 us, not the 60 that the kernel's default slack makes of it.
  prctl(PR_SET_TIMERSLACK, 1UL);
  shared_.grace.online(place_.number);
  uint32_t idle_rounds = 0;
  uint64_t begin = read_tsc();
  while (!shared_.stop.load(std::memory_order_relaxed)) {
    const Time now = shared_.clock.at(begin);
    // Pairs with the release in Publisher::publish().
    const Snapshot* snapshot = published_.load(std::memory_order_acquire);
    uint32_t received = 0;
    if (snapshot != nullptr) {
      for (const RxQueue& queue : rx_) {
        received += serve(queue, *snapshot, now);
      }
      sweep(*snapshot, now);
    }
    shared_.grace.quiescent(place_.number);
    if (received != 0) {
      idle_rounds = 0;
      busy_cycles_.add(read_tsc() - begin);
    } else {
      rest(++idle_rounds);
    }
    const uint64_t end = read_tsc();
    total_cycles_.add(end - begin);
    begin = end;
  }
  shared_.grace.offline(place_.number);
}

uint32_t Worker::serve(const RxQueue& queue, const Snapshot& snapshot, Time now) {
  rte_mbuf* mbufs[kBatchSize];
  const uint16_t count = rte_eth_rx_burst(queue.id.device, queue.id.queue, mbufs, kBatchSize);
  if (count == 0) {
    return 0;
  }
  // Pairs with figures(): who sees a count of this burst sees that it has begun.
  bursts_.store(bursts_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  load_batch(batch_, mbufs, count, queue.port, context_);
  process(batch_, snapshot, context_, now);
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
  for (size_t port = 0; port < outgoing_.size(); ++port) {
    if (outgoing_[port].count != 0) {
      transmit(port);
    }
  }
}

// A driver that takes a part is asked once more: AF_XDP makes room while it is being asked.
void Worker::transmit(size_t port) {
  Outgoing& out = outgoing_[port];
  const QueueId queue = tx_[port];
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
  const Duration elapsed = std::min(now - last_sweep_, kSweepPass);
  const uint64_t due =
      buckets_.size() * static_cast<uint64_t>(elapsed.count()) / static_cast<uint64_t>(kSweepPass.count());
  if (due == 0) {
    return;
  }
  last_sweep_ = now;
  const size_t before = flows_.size();
  const bool passed = flows_.sweep(std::min(due, kSweepSlice), Tick::at(now),
                                   [&](const FlowEntry& entry) { return entry_may_stay(entry, snapshot); });
  counters_.count(Event::kFlowsExpired, before - flows_.size());
  if (passed) {
    // Pairs with the acquire in passes(): who sees the pass sees what it erased.
    passes_.store(passes_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
}

// A sleeping worker holds no snapshot: publication does not wait for it.
void Worker::rest(uint32_t idle_rounds) {
  if (shared_.idle == IdlePolicy::kPoll || idle_rounds < kPatience) {
    __builtin_ia32_pause();
    return;
  }
  const uint32_t microseconds =
      std::min(kShortestRestUs * (1 + (idle_rounds - kPatience) / 16), kLongestRestUs);
  const timespec duration{0, static_cast<long>(microseconds) * 1000};
  shared_.grace.offline(place_.number);
  nanosleep(&duration, nullptr);
  shared_.grace.online(place_.number);
}

}  // namespace maglb
