// Workers of a balancer whose pool comes through the Registry, with schedulers: new flows, ends of flows,
// sums when the test says so. The pool's table names those that are up, round by round.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "lib/lb/pipeline.h"
#include "lib/lb/schedule.h"
#include "tests/support/packet_builder.h"
#include "tests/support/registry_rig.h"

namespace maglb::testing {

class ScheduleRig {
 public:
  static constexpr uint32_t kMostBackends = 64;

  ScheduleRig(Scheduler scheduler, std::vector<uint32_t> weights, uint32_t workers = 1,
              size_t flow_entries = 1 << 16)
      : registry_({16, 4, kMostBackends}, hops_, {std::pmr::get_default_resource()}),
        table_(4 * kMostBackends) {
    spec.name = "web";
    spec.seed = 7;
    spec.scheduler = scheduler;
    for (uint8_t i = 0; i < weights.size(); ++i) {
      spec.backends.push_back(backend("b" + std::to_string(i), static_cast<uint8_t>(i + 1)));
      spec.backends.back().weight = weights[i];
    }
    for (uint32_t hop = 0; hop < 4 * kMostBackends; ++hop) {
      table_.set(hop, {MacAddress{{2, 0, 0, 0, 0, static_cast<uint8_t>(hop / 2)}}, 0});
    }
    ports_[0].mac = MacAddress{{2, 0, 0, 0, 0, 0xaa}};
    for (uint32_t i = 0; i < workers; ++i) {
      workers_.push_back(std::make_unique<OneWorker>(i, workers, flow_entries));
      views_.push_back(&workers_.back()->flows);
      backend_flows_.push_back(&workers_.back()->scheduling.flows);
    }
    for (auto& worker : workers_) {
      worker->context = std::make_unique<WorkerContext>(
          WorkerContext{worker->flows, views_, worker->counters, table_, ports_, kKey, {}});
      worker->context->scheduling = &worker->scheduling;
    }
    publish();
  }

  // What the next publish() shows.
  PoolSpec spec;
  bool track_flows = true;

  void publish() {
    std::vector<uint16_t> up;
    for (uint16_t i = 0; i < spec.backends.size(); ++i) {
      if (spec.backends[i].state == BackendState::kUp) {
        up.push_back(i);
      }
    }
    spec.slots.clear();
    for (size_t i = 0; i < 1009; ++i) {
      spec.slots.push_back(up.empty() ? kNoBackend : up[i % up.size()]);
    }
    Change change;
    change.generation = ++generation_;
    change.pools = {std::make_shared<const PoolSpec>(spec)};
    ServiceSpec web = service("web", 80, "web");
    web.forward = ForwardMode::kL2;
    web.track_flows = track_flows;
    ServiceSpec dns = service("dns", 53, "web");
    dns.protocol = Protocol::kUdp;
    dns.forward = ForwardMode::kL2;
    change.services = {web, dns};
    auto applied = registry_.apply(change);
    snapshot_ = std::move(applied.value().snapshots.front());
  }

  static Bytes packet(uint32_t client, uint16_t port, const std::string& flags) {
    const std::string from = "10." + std::to_string(client >> 16) + "." +
                             std::to_string((client >> 8) & 255) + "." + std::to_string(client & 255);
    return flags == "U" ? Frame().from(from, port).to("198.51.100.1", 53).udp().bytes()
                        : Frame().from(from, port).to("198.51.100.1", 80).tcp(flags).bytes();
  }

  // The index of the backend in `spec` that the packet went to; nothing: it was dropped.
  std::optional<size_t> send(const Bytes& frame, uint32_t worker = 0) {
    std::vector<uint8_t> block(128 + frame.size());
    std::copy(frame.begin(), frame.end(), block.begin() + 128);
    Batch batch;
    batch.clear();
    batch.add({block.data() + 128, static_cast<uint16_t>(frame.size()), 128, 0, 0});
    process(batch, *snapshot_, *workers_[worker]->context, now);
    if (batch.verdicts[0] != Verdict::kSend) {
      return std::nullopt;
    }
    for (size_t i = 0; i < spec.backends.size(); ++i) {
      if (spec.backends[i].address.bytes[15] == batch.packets[0].data[5]) {
        return i;
      }
    }
    ADD_FAILURE() << "to no backend of the pool";
    return std::nullopt;
  }
  // A flow of its own, by its number.
  std::optional<size_t> open(uint32_t number, uint32_t worker = 0) {
    return send(packet(number & 0xffffff, 40000, "S"), worker);
  }
  void end(uint32_t number, uint32_t worker = 0) {
    OneWorker& one = *workers_[worker];
    FlowKey key;
    key.source = IpAddress::v4(std::array<uint8_t, 4>{10, static_cast<uint8_t>(number >> 16),
                                                      static_cast<uint8_t>(number >> 8),
                                                      static_cast<uint8_t>(number)});
    key.destination = IpAddress::v4(std::array<uint8_t, 4>{198, 51, 100, 1});
    key.source_port = Be16(40000);
    key.destination_port = Be16(80);
    key.protocol = Protocol::kTcp;
    one.flows.erase(one.context->flow_hash.digest(key, snapshot_->services().find(key)->id), Tick::at(now));
  }
  void share() { share_flows(backend_flows_, registry_.watched_counters()); }
  // Every worker's sweep over its whole table, and what the Registry makes of it.
  void sweep() {
    for (auto& worker : workers_) {
      count_flows_by(*snapshot_, &worker->scheduling);
      worker->flows.sweep(worker->buckets.size(), Tick::at(now),
                          [&](const FlowEntry& entry) { return entry_may_stay(entry, *snapshot_); });
    }
    registry_.collect(rounds_++, [](BackendId) { return false; });
  }

  // Flows of the backend by its counter, of all workers.
  uint32_t flows(const std::string& name) const {
    for (const auto& one : registry_.backends()) {
      if (one.name == name) {
        return flows_of(backend_flows_, one.counter);
      }
    }
    return 0;
  }
  uint64_t refused(const std::string& name) const {
    uint64_t sum = 0;
    for (const auto& one : registry_.backends()) {
      for (const auto& worker : workers_) {
        sum += one.name == name ? worker->counters.backends[one.counter].refused.value() : 0;
      }
    }
    return sum;
  }
  // Of the backend, of all workers.
  uint64_t signals(const std::string& name, Signal signal) const {
    uint64_t sum = 0;
    for (const auto& one : registry_.backends()) {
      for (const BackendFlows* worker : backend_flows_) {
        sum += one.name == name ? worker->signals().value(one.counter, signal) : 0;
      }
    }
    return sum;
  }
  uint64_t dropped(DropReason reason, uint32_t worker = 0) const {
    return workers_[worker]->counters.dropped[static_cast<size_t>(reason)].value();
  }
  // By every entry of every table.
  std::map<uint32_t, uint32_t> scan() const {
    std::map<uint32_t, uint32_t> seen;  // by counter
    for (const auto& worker : workers_) {
      worker->flows.for_each(Tick::at(now), [&](const FlowEntry& entry) {
        const PoolView* pool = snapshot_->pool(entry.backend.pool);
        ++seen[pool->backends[entry.backend.place].counter];
      });
    }
    return seen;
  }
  uint32_t counted(uint32_t counter) const { return flows_of(backend_flows_, counter); }
  FlowTable& table(uint32_t worker = 0) { return workers_[worker]->flows; }
  Registry& registry() { return registry_; }
  WorkerContext& context(uint32_t worker = 0) { return *workers_[worker]->context; }

  Time now = std::chrono::seconds(1000);

 private:
  static constexpr SipKey kKey{1, 2};
  struct OneWorker {
    OneWorker(uint32_t number, uint32_t workers, size_t entries)
        : buckets(FlowTable::buckets_for(entries)),
          flows(buckets),
          counters(16, kMostBackends),
          scheduling(number, workers, kKey, 4, kMostBackends, std::pmr::get_default_resource()) {
      flows.count_in(&scheduling.flows);
    }
    std::vector<FlowTable::Bucket> buckets;
    FlowTable flows;
    WorkerCounters counters;
    Scheduling scheduling;
    std::unique_ptr<WorkerContext> context;
  };

  CountingNextHops hops_;
  Registry registry_;
  NextHopTable table_;
  std::array<PortView, 1> ports_;
  std::vector<std::unique_ptr<OneWorker>> workers_;
  std::vector<const FlowTable*> views_;
  std::vector<BackendFlows*> backend_flows_;
  std::unique_ptr<const Snapshot> snapshot_;
  uint64_t generation_ = 0;
  uint64_t rounds_ = 0;
};

}  // namespace maglb::testing
