// What the control plane and the operator ask of the dataplane (lib/ipc/maglb.proto). Every answer is
// read from what the workers write anyway, and none waits for a worker, but for what is said of a nat
// session: its worker is asked, and waited for a moment.
//
// Threads: the main core.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/backend_rows.h"
#include "dataplane/counter_base.h"
#include "dataplane/explain_settings.h"
#include "dataplane/next_hops.h"
#include "dataplane/port.h"
#include "dataplane/publisher.h"
#include "dataplane/steering_sync.h"
#include "dataplane/tsc_clock.h"
#include "dataplane/worker.h"
#include "lib/ipc/server.h"

namespace maglb {

class Control final : public IpcHandler {
 public:
  // What it speaks for. All of it outlives it.
  struct Parts {
    const TscClock& clock;
    const ExplainSettings& explain;
    Registry& registry;
    Publisher& publisher;
    SteeringSync& steering;
    const NextHops& next_hops;
    const std::vector<Worker::Owner>& workers;
    const std::vector<std::unique_ptr<Port>>& ports;
  };
  explicit Control(const Parts& parts);

  void fill_hello(ipc::HelloReply& reply) override;
  std::optional<ipc::ApplyReply> apply(Change change, Ticket ticket) override;
  void fill_stats(const ipc::StatsRequest& request, ipc::Stats& reply) override;
  void look_up(const FlowQuery& query, ipc::FlowLookupReply& reply) override;
  void explain(const ExplainQuery& query, ipc::ExplainReply& reply) override;
  void summarize(ipc::FlowSummary& reply) override;
  void on_event(const std::string& message) override;

 private:
  Result<void> apply(const Change& change);
  uint64_t flows_of(uint32_t backend_counter) const;
  void fill_worker(const Worker& worker, ipc::WorkerStats& reply) const;
  ExplainSources sources(const Snapshot& snapshot) const;
  void fill_flow(const Explanation& known, ipc::FlowLookupReply& reply) const;

  Parts parts_;
  Explainer explainer_;
  uint64_t boot_id_;
  Time started_;
  std::vector<ServiceSpec> services_;  // running now
  CounterBase service_base_;
  CounterBase backend_base_;
  BackendRows backend_rows_;
  uint64_t publishes_ = 0;
  uint64_t rejected_ = 0;
};

}  // namespace maglb
