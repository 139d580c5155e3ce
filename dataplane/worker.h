// A worker: one pinned thread that takes bursts from its queues, runs the packet path to completion and
// sends what comes out. It never waits for anyone: snapshots are read through one pointer, and all it
// tells is counters and its quiescent state.
//
// Threads: made by the main core; run() on the worker's lcore; what is public and const on any.
//
// Until the first snapshot is published it receives nothing: there would be nothing to do with it.
//
// Memory: a worker, its flow table, counters and scratch lie in the memory of its NUMA socket, in cache
// lines that nobody else writes (memory() tells which), but for its inbox, where others put what they hand
// over, and its enquiry, where the main core asks. Of what it writes, other workers read the flow table, and
// the main core counts when it is asked for them. What it reads often and the main core writes lies apart
// from all else: the stop flag, the published pointer, next hops, the token of Grace, and how many flows the
// other workers have of each backend.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/grace.h"
#include "dataplane/idle.h"
#include "dataplane/inbox.h"
#include "dataplane/line_memory.h"
#include "dataplane/queue.h"
#include "dataplane/sweep_schedule.h"
#include "dataplane/tsc_clock.h"
#include "lib/flow/fragment_table.h"
#include "lib/flow/nat_enquiry.h"
#include "lib/lb/batch.h"
#include "lib/lb/schedule.h"
#include "lib/lb/worker_context.h"

struct rte_mbuf;
struct rte_mempool;

namespace maglb {

class alignas(64) Worker {
 public:
  struct Place {
    uint32_t number = 0;  // of the worker, its reader number, and its transmit queue
    uint32_t core = 0;
    uint32_t lcore = 0;
    size_t socket = 0;  // index of its memory and of the published pointer
  };
  // What all workers share. It outlives them.
  struct Shared {
    TscClock clock;
    Grace& grace;
    const std::atomic<bool>& stop;
    const NextHopTable& next_hops;
    std::span<const PortView> ports;
    SipKey flow_key;
    TunnelSource tunnel_source;
    TunnelSource tunnel_source_v6;
    size_t services_limit = 0;
    size_t backends_limit = 0;
    IdlePolicy idle = IdlePolicy::kAdaptive;
    PathFunction path = path_of(Isa::kBaseline);
    const NatPorts* nat_ports = nullptr;  // null: no nat_source
    uint32_t workers = 1;
    size_t pools_limit = 1;
  };

  struct Free {
    std::pmr::memory_resource* memory;
    void operator()(Worker* worker) const;
  };
  using Owner = std::unique_ptr<Worker, Free>;

  // In `memory`, that of its socket, which outlives it.
  static Owner create(const Place& place, const Shared& shared, const std::atomic<const Snapshot*>& published,
                      size_t flow_entries, std::pmr::memory_resource* memory);
  // What create() takes, about. The flow table is never smaller than 16 MiB.
  static uint64_t memory_bytes(size_t flow_entries, const NatPorts* nat_ports, size_t services_limit,
                               size_t backends_limit, size_t pools_limit);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Before run(): the tables and inboxes of all workers, by number, its queues to receive from, and of each
  // port the queue to send to.
  void connect(std::span<const FlowTable* const> tables, std::span<Inbox* const> inboxes,
               std::span<const RxQueue> rx, std::span<const QueueId> tx);

  // Returns after stop is set.
  void run();

  const Place& place() const { return place_; }
  const FlowTable& flows() const { return flows_; }
  // Null: no nat_source.
  const NatTable* nat() const { return nat_ ? &*nat_ : nullptr; }
  Inbox& inbox() { return inbox_; }
  // The main core's. Only with nat_ports.
  Result<NatAnswer> ask_nat(const NatQuestion& question, Duration patience) {
    return nat_enquiry_.ask(question, patience, [this] { inbox_.wake(); });
  }
  // How many flows of each backend it has, and knows of the others'.
  BackendFlows& backend_flows() { return scheduling_.flows; }
  const BackendFlows& backend_flows() const { return scheduling_.flows; }
  const WorkerCounters& counters() const { return counters_; }
  // The counts of the equation as they were within one burst, or, should the worker outrun the reader
  // time and again, as they were read. Any thread; never waits for the worker.
  struct Figures {
    uint64_t received = 0;
    uint64_t originated = 0;
    uint64_t sent = 0;
    uint64_t to_kernel = 0;
    uint64_t held = 0;
    std::array<uint64_t, kDropReasons> dropped{};
  };
  Figures figures() const;
  // Whole passes of the sweep over the flow table so far.
  uint64_t passes() const { return passes_.load(std::memory_order_acquire); }
  // And over its nat table; none where there is none.
  uint64_t nat_passes() const { return nat_passes_.load(std::memory_order_acquire); }
  // All that it writes while it runs.
  std::vector<LineMemory::Range> memory() const;
  uint64_t busy_cycles() const { return busy_cycles_.value(); }
  uint64_t total_cycles() const { return total_cycles_.value(); }

 private:
  struct alignas(64) Outgoing {
    QueueId queue;
    uint16_t count = 0;
    std::array<rte_mbuf*, kBatchSize> mbufs;
  };

  uint32_t serve(const RxQueue& queue, const Snapshot& snapshot, uint64_t tsc);
  uint32_t serve_inbox(const Snapshot& snapshot, uint64_t tsc);
  void begin_burst();
  void work(rte_mbuf** mbufs, const Snapshot& snapshot, Time now);
  void settle_fragments(const Snapshot& snapshot, Time now);
  void dispatch(rte_mbuf** mbufs);
  void send(uint8_t port, rte_mbuf* mbuf);
  void transmit(Outgoing& out);
  void sweep_due(const Snapshot& snapshot, uint64_t tsc);
  void hand_over(rte_mbuf** mbufs);
  void put(uint32_t target, std::span<rte_mbuf* const> packets);
  void sweep(const Snapshot& snapshot, Time now);
  bool is_sweep_due(uint64_t tsc) const { return schedule_.due(tsc) || (nat_ && nat_schedule_.due(tsc)); }
  void rest(bool is_serving);

  Worker(const Place& place, const Shared& shared, const std::atomic<const Snapshot*>& published,
         size_t flow_entries, std::pmr::memory_resource* memory);
  ~Worker();

  // Read only once it runs.
  LineMemory memory_;
  Place place_;
  Shared shared_;
  const std::atomic<const Snapshot*>& published_;
  std::pmr::vector<PortView> ports_;
  std::pmr::vector<const FlowTable*> tables_;  // of all workers
  std::pmr::vector<Inbox*> inboxes_;           // of all workers
  std::pmr::vector<RxQueue> rx_;
  std::pmr::vector<FlowTable::Bucket> buckets_;

  // Read by other workers, too, and the counts by the main core.
  alignas(64) FlowTable flows_;
  WorkerCounters counters_;
  Scheduling scheduling_;

  // Written by other workers, too.
  Inbox inbox_;

  // Written by the main core, too, when it asks.
  NatEnquiry nat_enquiry_;

  FragmentTable fragments_;  // its handles are mbufs
  alignas(64) WorkerContext context_;
  Batch batch_;
  rte_mempool* buffers_ = nullptr;       // of the queue that is being served; of extra frames
  std::pmr::vector<Outgoing> outgoing_;  // by port
  std::optional<NatTable> nat_;
  SweepSchedule schedule_;
  SweepSchedule nat_schedule_;
  IdleWait idle_;

  alignas(64) std::atomic<uint64_t> passes_{0};
  std::atomic<uint64_t> nat_passes_{0};
  std::atomic<uint64_t> bursts_{0};  // begun so far
  Counter busy_cycles_;
  Counter total_cycles_;
};

}  // namespace maglb
