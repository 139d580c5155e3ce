#include "dataplane/dataplane.h"

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "dataplane/control.h"
#include "dataplane/eal.h"
#include "dataplane/flow_sums.h"
#include "dataplane/hugepages.h"
#include "dataplane/memory.h"
#include "dataplane/next_hops.h"
#include "dataplane/port.h"
#include "dataplane/publisher.h"
#include "dataplane/steering_sync.h"
#include "dataplane/tsc_clock.h"
#include "dataplane/worker.h"
#include "lib/flow/sweep_rounds.h"
#include "lib/ipc/server.h"

namespace maglb {
namespace {

// What the main core does between requests, and how often it looks whether there is something to do.
constexpr std::chrono::milliseconds kTick{20};
constexpr Duration kCollectEvery = std::chrono::milliseconds(500);
// How often workers are told what flows the others have of a backend, while some pool looks at them. Between
// two sums a worker is off by what the others opened meanwhile: at 100,000 new flows a second, spread over
// 100 backends, by 5 flows. A sum of 10,000 backends of 8 workers takes about 0.2 ms of the main core, so a
// twenty-fifth of its time at most.
constexpr std::chrono::milliseconds kShareFlowsEvery{5};
// For DPDK's own needs beside the packet buffers.
constexpr uint64_t kDpdkMemoryBytes = uint64_t{32} << 20;

Result<std::vector<PortPlan>> plan_ports(const MachineConfig& config) {
  std::vector<PortPlan> plans;
  for (const PortConfig& port : config.ports) {
    auto plan = plan_port(port, static_cast<uint32_t>(config.worker_cores.size()));
    if (!plan) {
      return tl::unexpected(std::move(plan.error()));
    }
    plans.push_back(std::move(*plan));
  }
  return plans;
}

uint64_t buffer_memory(const std::vector<PortPlan>& plans) {
  uint64_t sum = kDpdkMemoryBytes;
  for (const PortPlan& plan : plans) {
    sum += plan.memory_bytes();
  }
  return sum;
}

// A core is a worker's own where all packets come from network cards; elsewhere it is shared with the
// kernel that makes the packets.
IdlePolicy idle_policy(const MachineConfig& config, const std::vector<PortPlan>& plans) {
  const bool shared_core =
      std::count(config.worker_cores.begin(), config.worker_cores.end(), config.main_core) > 0;
  const bool all_pci =
      std::all_of(plans.begin(), plans.end(), [](const PortPlan& plan) { return plan.device.is_pci(); });
  return all_pci && !shared_core ? IdlePolicy::kPoll : IdlePolicy::kAdaptive;
}

}  // namespace

class Dataplane::Impl {
 public:
  Impl(const MachineConfig& config, std::vector<PortPlan> plans, std::optional<IdlePolicy> idle, Isa isa)
      : config_(config),
        plans_(std::move(plans)),
        idle_(idle.value_or(idle_policy(config_, plans_))),
        isa_(isa),
        next_hop_table_(2 * size_t{config.limits.backends}) {}
  ~Impl();

  Result<void> start(const std::string& socket_path);
  void run(int signals);

 private:
  // Of all workers' tables and counters. Snapshots come on top, and are small beside them.
  uint64_t table_memory() const {
    return config_.worker_cores.size() * Worker::memory_bytes(config_.flow_entries, nat_ports(),
                                                              config_.limits.services,
                                                              config_.limits.backends, config_.limits.pools);
  }
  const NatPorts* nat_ports() const { return nat_ports_ ? &*nat_ports_ : nullptr; }
  Error no_table_memory() const;
  Result<void> share_nat_ports();
  ExplainSettings explain_settings() const;
  Result<void> start_eal();
  Result<void> open_ports();
  Result<void> make_next_hops();
  SteerWanted fixed_steering() const;
  void make_state();
  void make_workers();
  void launch_workers();
  void collect(Time now);

  MachineConfig config_;
  std::vector<PortPlan> plans_;
  IdlePolicy idle_;
  Isa isa_;

  // In the order in which the parts need each other; the last is taken down first.
  std::optional<NatPorts> nat_ports_;
  std::optional<Eal> eal_;
  bool hugepages_ = false;
  uint64_t free_hugepage_bytes_ = 0;  // before anything was taken
  std::vector<int> worker_sockets_;   // NUMA socket of each worker
  std::vector<int> sockets_;          // the different ones
  std::vector<std::unique_ptr<std::pmr::memory_resource>> own_memory_;
  std::vector<std::pmr::memory_resource*> memory_;  // one a socket
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<PortView> port_views_;
  alignas(64) NextHopTable next_hop_table_;  // workers read it with every packet
  std::unique_ptr<NextHops> next_hops_;
  std::optional<TscClock> clock_;
  SipKey flow_key_ = SipKey::random();
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Grace> grace_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<SteeringSync> steering_;
  std::vector<Worker::Owner> workers_;
  std::vector<const FlowTable*> tables_;
  std::vector<std::function<void()>> work_;
  alignas(64) std::atomic<bool> stop_{false};  // workers read it every round
  // From here on what the main core writes while they run.
  alignas(64) bool launched_ = false;
  std::optional<ExplainSettings> explain_;
  std::unique_ptr<Control> control_;
  std::optional<IpcServer> server_;
  Time last_collect_{0};
  FlowSums flow_sums_;
  SweepRounds sweep_rounds_;
};

Dataplane::Impl::~Impl() {
  server_.reset();
  if (launched_) {
    stop_.store(true, std::memory_order_relaxed);
    Eal::join_workers();
  }
  // Ports go while the memory they use is there, and after the last worker has left them.
  workers_.clear();
  ports_.clear();
}

Result<void> Dataplane::Impl::share_nat_ports() {
  const NatSourceConfig& source = config_.nat_source;
  auto ports = NatPorts::of_sources(source.v4, source.v6, {source.ports.first, source.ports.last},
                                    static_cast<uint32_t>(config_.worker_cores.size()));
  if (!ports) {
    return tl::unexpected(std::move(ports.error()));
  }
  nat_ports_ = *std::move(ports);
  if (nat_ports_) {
    spdlog::info("nat: {} address(es), {} ports of each for a worker", nat_ports_->addresses().size(),
                 nat_ports_->share());
  }
  return {};
}

Result<void> Dataplane::Impl::start_eal() {
  const uint64_t buffers = std::max(config_.memory.size_bytes, buffer_memory(plans_));
  const uint64_t wanted = buffers + table_memory();
  free_hugepage_bytes_ = free_hugepage_bytes();
  hugepages_ = config_.memory.hugepages.value_or(free_hugepage_bytes_ >= wanted);
  if (!hugepages_ && !config_.memory.hugepages && free_hugepage_bytes_ > 0) {
    spdlog::warn("of the {} MiB of hugepages that are needed {} are free: ordinary memory is used",
                 wanted >> 20, free_hugepage_bytes_ >> 20);
  }
  // Found out now rather than after DPDK has taken every page there is, which takes seconds.
  if (hugepages_ && free_hugepage_bytes_ < table_memory()) {
    return tl::unexpected(no_table_memory());
  }
  EalOptions options;
  options.main_core = config_.main_core;
  options.worker_cores = config_.worker_cores;
  options.hugepages = hugepages_;
  options.memory_bytes = buffers;
  for (const PortPlan& plan : plans_) {
    if (plan.device.is_pci()) {
      options.pci_devices.push_back(plan.config.device);
    }
  }
  auto eal = Eal::start(options);
  if (!eal) {
    return tl::unexpected(std::move(eal.error()));
  }
  eal_.emplace(std::move(*eal));
  clock_.emplace(Eal::tsc_hz());
  for (uint32_t worker = 0; worker < config_.worker_cores.size(); ++worker) {
    worker_sockets_.push_back(Eal::socket_of(Eal::lcore_of_worker(worker)));
  }
  const std::set<int> different(worker_sockets_.begin(), worker_sockets_.end());
  sockets_.assign(different.begin(), different.end());
  // Tables, counters and snapshots come from hugepages of the worker's socket, packet buffers from those of
  // the queue's (Port). Ordinary memory lies where the main core touches it first: on its own socket. A
  // machine with one socket, as those that this was tested on, shows neither: there all is on socket 0.
  for (const int socket : sockets_) {
    if (hugepages_) {
      own_memory_.push_back(hugepage_memory(socket));
    }
    memory_.push_back(hugepages_ ? own_memory_.back().get() : std::pmr::new_delete_resource());
  }
  return {};
}

Result<void> Dataplane::Impl::open_ports() {
  for (size_t i = 0; i < plans_.size(); ++i) {
    auto port = Port::open(plans_[i], static_cast<uint8_t>(i), worker_sockets_);
    if (!port) {
      return tl::unexpected(std::move(port.error()));
    }
    port_views_.push_back((*port)->view());
    spdlog::info("port {}: {}, MAC {}, MTU {}", plans_[i].config.name, plans_[i].config.device,
                 port_views_.back().mac.to_string(), port_views_.back().mtu);
    ports_.push_back(std::move(*port));
  }
  // Links: the ports by their index, and the VLANs behind them.
  for (size_t i = 0; i < plans_.size(); ++i) {
    for (const VlanConfig& vlan : plans_[i].config.vlans) {
      PortView link = port_views_[i];
      link.mtu = vlan.mtu != 0 ? vlan.mtu : link.mtu;
      link.port = static_cast<uint8_t>(i);
      link.vlan_outer = vlan.outer;
      link.vlan_inner = vlan.id;
      port_views_.push_back(link);
    }
  }
  return {};
}

// What the workers want whatever the services are: frames of the VLANs, replies to nat, and errors about our
// tunnels.
SteerWanted Dataplane::Impl::fixed_steering() const {
  SteerWanted wanted;
  for (const PortPlan& plan : plans_) {
    for (const VlanConfig& vlan : plan.config.vlans) {
      // One tag is given as the first.
      wanted.vlans.insert(vlan.outer == 0 ? std::pair{vlan.id, uint16_t{0}} : std::pair{vlan.outer, vlan.id});
    }
  }
  for (const auto& source : {config_.tunnel_source_v4, config_.tunnel_source_v6}) {
    if (source) {
      wanted.tunnel_errors.insert(*source);
    }
  }
  for (const auto& source : {config_.nat_source.v4, config_.nat_source.v6}) {
    if (source) {
      const PortRange& ports = config_.nat_source.ports;
      wanted.packets.insert({*source, Protocol::kTcp, ports.first, ports.last});
      wanted.packets.insert({*source, Protocol::kUdp, ports.first, ports.last});
    }
  }
  return wanted;
}

Result<void> Dataplane::Impl::make_next_hops() {
  std::vector<NextHops::Link> links;
  for (const auto& port : ports_) {
    links.push_back({port->config().name, port->ifindex(), port->config().next_hop_mac});
  }
  for (const auto& port : ports_) {
    for (const VlanConfig& vlan : port->config().vlans) {
      links.push_back({vlan.name, 0, vlan.next_hop_mac, vlan.interface});
    }
  }
  auto hops = NextHops::create(std::move(links), next_hop_table_);
  if (!hops) {
    return tl::unexpected(std::move(hops.error()));
  }
  next_hops_ = std::move(*hops);
  return {};
}

void Dataplane::Impl::make_state() {
  const Registry::Limits limits{config_.limits.services, config_.limits.pools, config_.limits.backends};
  registry_ = std::make_unique<Registry>(limits, *next_hops_, memory_);
  grace_ = std::make_unique<Grace>(static_cast<uint32_t>(config_.worker_cores.size()));
  publisher_ = std::make_unique<Publisher>(*registry_, *grace_, sockets_.size());
  std::vector<Steering*> steered;
  for (const auto& port : ports_) {
    if (port->steering() != nullptr) {
      steered.push_back(port->steering());
    }
  }
  steering_ = std::make_unique<SteeringSync>(std::move(steered), fixed_steering());
}

void Dataplane::Impl::make_workers() {
  const Worker::Shared shared{*clock_,
                              *grace_,
                              stop_,
                              next_hop_table_,
                              port_views_,
                              flow_key_,
                              config_.tunnel_source_v4,
                              config_.tunnel_source_v6,
                              config_.limits.services,
                              config_.limits.backends,
                              idle_,
                              path_of(isa_),
                              nat_ports(),
                              static_cast<uint32_t>(config_.worker_cores.size()),
                              config_.limits.pools};
  for (uint32_t i = 0; i < config_.worker_cores.size(); ++i) {
    const auto socket = static_cast<size_t>(std::find(sockets_.begin(), sockets_.end(), worker_sockets_[i]) -
                                            sockets_.begin());
    const Worker::Place place{i, config_.worker_cores[i], Eal::lcore_of_worker(i), socket};
    workers_.push_back(
        Worker::create(place, shared, publisher_->published(socket), config_.flow_entries, memory_[socket]));
    uint64_t bytes = 0;
    for (const LineMemory::Range& range : workers_.back()->memory()) {
      bytes += range.size();
    }
    spdlog::info("worker {}: core {}, NUMA socket {}, {} MiB", i, place.core, worker_sockets_[i],
                 bytes >> 20);
    tables_.push_back(&workers_.back()->flows());
    flow_sums_.add_worker(&workers_.back()->backend_flows());
  }
  std::vector<Inbox*> inboxes;
  for (const auto& worker : workers_) {
    inboxes.push_back(&worker->inbox());
  }
  for (uint32_t i = 0; i < workers_.size(); ++i) {
    std::vector<RxQueue> rx;
    std::vector<QueueId> tx;
    for (const auto& port : ports_) {
      const std::vector<RxQueue> queues = port->rx_queues(i);
      rx.insert(rx.end(), queues.begin(), queues.end());
      tx.push_back(port->tx_queue(i));
    }
    workers_[i]->connect(tables_, inboxes, rx, tx);
  }
}

void Dataplane::Impl::launch_workers() {
  for (const auto& worker : workers_) {
    work_.emplace_back([self = worker.get()] { self->run(); });
  }
  for (size_t i = 0; i < workers_.size(); ++i) {
    Eal::launch(workers_[i]->place().lcore, work_[i]);
  }
  launched_ = true;
}

// The pages are of each worker's socket, so what is free in all may still not do.
Error Dataplane::Impl::no_table_memory() const {
  std::string text =
      fmt::format("no memory for the tables of {} worker(s), {} MiB together with flow_table: entries {}",
                  config_.worker_cores.size(), table_memory() >> 20, config_.flow_entries);
  if (hugepages_) {
    text += fmt::format(", and {} MiB of packet buffers: {} MiB of hugepages were free",
                        buffer_memory(plans_) >> 20, free_hugepage_bytes_ >> 20);
  }
  return {ErrorKind::kSystem, text + "; give more, or lower entries"};
}

ExplainSettings Dataplane::Impl::explain_settings() const {
  return {flow_key_,
          config_.tunnel_source_v4,
          config_.tunnel_source_v6,
          path_of(isa_),
          next_hop_table_,
          port_views_,
          link_names(config_),
          tables_,
          flow_sums_.workers(),
          nat_ports()};
}

Result<void> Dataplane::Impl::start(const std::string& socket_path) try {
  auto ready = share_nat_ports()
                   .and_then([&] { return start_eal(); })
                   .and_then([&] { return open_ports(); })
                   .and_then([&] { return make_next_hops(); });
  if (!ready) {
    return ready;
  }
  make_state();
  make_workers();
  explain_.emplace(explain_settings());
  control_ = std::make_unique<Control>(
      Control::Parts{*clock_, *explain_, *registry_, *publisher_, *steering_, *next_hops_, workers_, ports_});
  auto server = IpcServer::listen(socket_path, *control_);
  if (!server) {
    return tl::unexpected(std::move(server.error()));
  }
  server_.emplace(std::move(*server));
  launch_workers();
  spdlog::info("{} worker(s) run, {} memory, {} instructions, idle: {}; control socket {}", workers_.size(),
               hugepages_ ? "hugepage" : "ordinary", to_string(isa_), to_string(idle_), socket_path);
  return {};
} catch (const std::bad_alloc&) {
  return tl::unexpected(no_table_memory());
}

// A pool that keeps the flows of removed backends is asked whether any are left.
void Dataplane::Impl::collect(Time now) {
  if (now - last_collect_ < kCollectEvery) {
    return;
  }
  last_collect_ = now;
  std::vector<uint64_t> passes;
  for (const auto& worker : workers_) {
    passes.push_back(worker->passes());
    if (nat_ports_) {
      passes.push_back(worker->nat_passes());
    }
  }
  registry_->collect(sweep_rounds_.update(passes), [&](BackendId id) {
    const Snapshot* snapshot = publisher_->current();
    const PoolView* pool = snapshot == nullptr ? nullptr : snapshot->pool(id.pool);
    if (pool == nullptr || !pool->keep_on_failure) {
      return false;
    }
    // Exact, and of nat sessions too (lib/flow/backend_flows.h).
    return id.place < pool->backends.size() &&
           flows_of(flow_sums_.workers(), pool->backends[id.place].counter) != 0;
  });
}

void Dataplane::Impl::run(int signals) {
  for (;;) {
    pollfd waits[] = {{signals, POLLIN, 0}, {server_->fd(), POLLIN, 0}, {next_hops_->event_fd(), POLLIN, 0}};
    const auto tick = flow_sums_.are_wanted() ? kShareFlowsEvery : kTick;
    poll(waits, std::size(waits), static_cast<int>(tick.count()));
    if (waits[0].revents != 0) {
      return;
    }
    const Time now = monotonic_now();
    server_->poll_once(now, std::chrono::milliseconds(0));
    next_hops_->poll_once(now);
    steering_->poll_once(now);
    publisher_->reclaim();
    collect(now);
    flow_sums_.update(*registry_);
  }
}

Dataplane::Dataplane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Dataplane::~Dataplane() = default;

Result<std::unique_ptr<Dataplane>> Dataplane::start(const MachineConfig& config,
                                                    const std::string& socket_path,
                                                    std::optional<IdlePolicy> idle, Isa isa) {
  auto plans = plan_ports(config);
  if (!plans) {
    return tl::unexpected(std::move(plans.error()));
  }
  auto impl = std::make_unique<Impl>(config, std::move(*plans), idle, isa);
  if (auto started = impl->start(socket_path); !started) {
    return tl::unexpected(std::move(started.error()));
  }
  return std::unique_ptr<Dataplane>(new Dataplane(std::move(impl)));
}

void Dataplane::run(int signals) {
  impl_->run(signals);
}

}  // namespace maglb
