// A balancer without daemons for the benchmarks: one pool, as many services and backends as asked, one
// worker with its table in hugepages.
#pragma once

#include <memory>
#include <vector>

#include "bench/traffic.h"
#include "lib/lb/pipeline.h"
#include "lib/lb/schedule.h"

namespace maglb::bench {

struct BalancerPlan {
  bool is_v6 = false;
  uint32_t services = 1;
  uint32_t backends = 100;
  uint64_t flow_entries = 1 << 20;
};

class Balancer {
 public:
  explicit Balancer(const BalancerPlan& plan);

  // Runs the path over a chunk, as a worker does burst for burst. Returns how many frames were sent.
  uint64_t run(Traffic& traffic, Time now);
  void clear();  // forgets every flow
  // From now on the table is of these weights, one for each backend. Weight 0: removed.
  void publish(const std::vector<uint32_t>& weights);

  WorkerContext& worker() { return *worker_; }
  const Snapshot& snapshot() const { return *snapshot_; }
  const WorkerCounters& counters() const { return counters_; }
  FlowTable& flows() { return *flows_; }

 private:
  void make_snapshot(const std::vector<uint32_t>& weights);

  BalancerPlan plan_;

  std::pmr::vector<FlowTable::Bucket> buckets_;
  std::unique_ptr<FlowTable> flows_;
  std::vector<const FlowTable*> tables_;
  WorkerCounters counters_;
  Scheduling scheduling_;  // counts flows, as in every program
  NextHopTable next_hops_;
  std::vector<PortView> ports_;
  std::unique_ptr<WorkerContext> worker_;
  std::unique_ptr<Snapshot> snapshot_;
  Batch batch_;
};

}  // namespace maglb::bench
