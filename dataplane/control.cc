#include "dataplane/control.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <utility>

namespace maglb {
namespace {

void fill(const Traffic& traffic, ipc::TrafficStats& reply) {
  reply.set_packets(traffic.packets);
  reply.set_bytes(traffic.bytes);
  reply.set_new_flows(traffic.new_flows);
}

void fill(const NatTable& nat, ipc::WorkerStats& reply) {
  for (const auto& [protocol, name] : {std::pair(Protocol::kTcp, "tcp"), std::pair(Protocol::kUdp, "udp")}) {
    for (const bool is_v4 : {true, false}) {
      if (nat.capacity(is_v4) != 0) {
        ipc::NatUse& use = *reply.add_nat();
        use.set_protocol(name);
        use.set_family(is_v4 ? "ipv4" : "ipv6");
        use.set_sessions(nat.size(protocol, is_v4));
        use.set_ports(nat.capacity(is_v4));
      }
    }
  }
}

FlowKey key_of(const FlowQuery& query) {
  FlowKey key;
  key.source = query.source;
  key.destination = query.destination;
  key.source_port = Be16(query.source_port);
  key.destination_port = Be16(query.destination_port);
  key.protocol = query.protocol;
  return key;
}

}  // namespace

Control::Control(const Parts& parts)
    : parts_(parts),
      explainer_(parts.registry.limits().services, parts.registry.limits().pools,
                 parts.registry.limits().backends, parts.explain.flow_key),
      boot_id_(SipKey::random().k0),
      started_(monotonic_now()),
      service_base_([workers = &parts.workers](uint32_t index) {
        Traffic sum;
        for (const auto& worker : *workers) {
          sum.add(worker->counters().services[index]);
        }
        return sum;
      }),
      backend_base_([workers = &parts.workers](uint32_t index) {
        Traffic sum;
        for (const auto& worker : *workers) {
          sum.add(worker->counters().backends[index]);
          sum.add(worker->backend_flows().signals(), index);
        }
        return sum;
      }),
      backend_rows_(
          [this](uint32_t counter, uint32_t next_hop, bool with_signals) {
            const Traffic traffic = backend_base_.of(counter);
            return BackendRows::Figures{traffic.packets,
                                        traffic.bytes,
                                        traffic.new_flows,
                                        traffic.refused,
                                        flows_of(counter),
                                        parts_.next_hops.version(next_hop),
                                        with_signals ? traffic.signals : decltype(traffic.signals){}};
          },
          [this](uint32_t next_hop) { return parts_.next_hops.describe(next_hop); }) {}

void Control::fill_hello(ipc::HelloReply& reply) {
  reply.set_program("maglb-dataplane " MAGLB_VERSION);
  reply.set_generation(parts_.registry.generation());
  reply.set_boot_id(boot_id_);
  reply.set_workers(static_cast<uint32_t>(parts_.workers.size()));
  const Registry::Limits& limits = parts_.registry.limits();
  reply.set_max_services(limits.services);
  reply.set_max_pools(limits.pools);
  reply.set_max_backends(limits.backends);
}

// Steered first, then published, then no longer steered: a packet of a service is never the kernel's
// while its service runs here.
Result<void> Control::apply(const Change& change) {
  static const std::vector<ServiceSpec> kNone;
  const std::vector<ServiceSpec>& wanted = change.services ? *change.services : kNone;
  if (change.gives_services()) {
    if (auto widened = parts_.steering.widen(wanted); !widened) {
      (void)parts_.steering.settle(services_);
      return widened;
    }
  }
  auto published = parts_.publisher.publish(change);
  if (published) {
    service_base_.rebase(published->fresh_service_counters);
    backend_base_.rebase(published->fresh_backend_counters);
  }
  if (published && change.gives_services()) {
    services_ = wanted;
  }
  if (change.gives_services()) {
    if (auto settled = parts_.steering.settle(services_); !settled) {
      spdlog::error("the steering program still has entries of former services: {}", settled.error().message);
    }
  }
  return published ? Result<void>{} : tl::unexpected(std::move(published.error()));
}

std::optional<ipc::ApplyReply> Control::apply(Change change, Ticket) {
  ipc::ApplyReply reply;
  const auto applied = apply(change);
  reply.set_generation(parts_.registry.generation());
  if (applied) {
    ++publishes_;
    spdlog::info("generation {} runs: {} pool(s) changed, {} service(s)", change.generation,
                 change.pools.size(), services_.size());
    return reply;
  }
  ++rejected_;
  reply.set_error(applied.error().message);
  reply.set_base_mismatch(applied.error().kind == ErrorKind::kConflict && change.base_generation != 0 &&
                          change.base_generation != parts_.registry.generation());
  spdlog::warn("generation {} was refused: {}", change.generation, applied.error().message);
  return reply;
}

void Control::fill_worker(const Worker& worker, ipc::WorkerStats& reply) const {
  const Worker::Figures figures = worker.figures();
  reply.set_worker(worker.place().number);
  reply.set_core(worker.place().core);
  reply.set_received(figures.received);
  reply.set_originated(figures.originated);
  reply.set_sent(figures.sent);
  reply.set_to_kernel(figures.to_kernel);
  reply.set_held(figures.held);
  for (size_t i = 0; i < kDropReasons; ++i) {
    ipc::NamedCount* dropped = reply.add_dropped();
    dropped->set_name(std::string(name_of(static_cast<DropReason>(i))));
    dropped->set_value(figures.dropped[i]);
  }
  for (size_t i = 0; i < kEvents; ++i) {
    ipc::NamedCount* event = reply.add_events();
    event->set_name(std::string(name_of(static_cast<Event>(i))));
    event->set_value(worker.counters().events[i].value());
  }
  reply.set_flows(worker.flows().size());
  reply.set_flows_opening(worker.flows().opening());
  reply.set_flow_capacity(worker.flows().capacity());
  if (const NatTable* const nat = worker.nat()) {
    fill(*nat, reply);
  }
  reply.set_busy_cycles(worker.busy_cycles());
  reply.set_total_cycles(worker.total_cycles());
}

uint64_t Control::flows_of(uint32_t backend_counter) const {
  uint32_t sum = 0;
  for (const auto& worker : parts_.workers) {
    sum += worker->backend_flows().own(backend_counter);
  }
  return BackendFlows::at_least_none(sum);
}

void Control::fill_stats(const ipc::StatsRequest& request, ipc::Stats& reply) {
  reply.set_generation(parts_.registry.generation());
  reply.set_boot_id(boot_id_);
  reply.set_uptime_ms(static_cast<uint64_t>((monotonic_now() - started_) / std::chrono::milliseconds(1)));
  reply.set_publishes(publishes_);
  reply.set_publishes_rejected(rejected_);
  for (const auto& worker : parts_.workers) {
    fill_worker(*worker, *reply.add_workers());
  }
  for (const auto& service : parts_.registry.services()) {
    ipc::ServiceStats* stats = reply.add_services();
    stats->set_name(service.name);
    fill(service_base_.of(service.counter), *stats->mutable_traffic());
  }
  backend_rows_.tell(parts_.registry, request, reply);
  for (const auto& port : parts_.ports) {
    const Port::Figures figures = port->figures();
    ipc::PortStats* stats = reply.add_ports();
    stats->set_name(port->config().name);
    stats->set_device(port->config().device);
    stats->set_link_up(figures.link_up);
    stats->set_rx_packets(figures.rx_packets);
    stats->set_tx_packets(figures.tx_packets);
    stats->set_rx_missed(figures.rx_missed);
    stats->set_tx_errors(figures.tx_errors);
    stats->set_mtu(port->view().mtu);
    stats->set_mac(port->view().mac.to_string());
  }
}

void Control::fill_flow(const Explanation& known, ipc::FlowLookupReply& reply) const {
  if (!known.flow && !known.session) {
    return;
  }
  const FlowState state = known.session ? flow_state_of(known.session->known) : known.flow->entry.state;
  const BackendId backend = known.session ? known.session->known.backend_id : known.flow->entry.backend;
  const Duration idle = known.session ? known.session->idle : known.flow->idle;
  reply.set_flow_found(true);
  reply.set_worker(known.session ? known.session->worker : known.flow->worker);
  reply.set_state(std::string(to_string(state)));
  reply.set_idle_ms(static_cast<uint64_t>(idle / std::chrono::milliseconds(1)));
  if (const auto name = parts_.registry.name_of(backend)) {
    reply.set_flow_backend(name->backend);
  }
}

void Control::look_up(const FlowQuery& query, ipc::FlowLookupReply& reply) {
  const Snapshot* const snapshot = parts_.publisher.current();
  if (snapshot == nullptr) {
    return;
  }
  const Explanation known = look_up_flow(key_of(query), sources(*snapshot), parts_.clock.now());
  if (known.silent_worker) {
    reply.set_error("worker " + std::to_string(*known.silent_worker) +
                    ", whose nat session it is, does not answer");
    return;
  }
  // Of a reply the table says nothing: explain does.
  if (known.service == nullptr || (known.session && known.session->is_reply)) {
    return;
  }
  reply.set_service_found(true);
  reply.set_service(parts_.registry.service_name(known.service->id).value_or(""));
  for (const ServiceSpec& spec : services_) {
    if (spec.name == reply.service()) {
      reply.set_pool(spec.pool);
    }
  }
  fill_flow(known, reply);
  reply.set_slot(known.slot);
  if (known.table_size == 0 || known.table_place == kNoBackend) {
    return;
  }
  if (const auto name = parts_.registry.name_of({known.pool->number, known.table_place})) {
    reply.set_table_backend(name->backend);
  }
}

void Control::summarize(ipc::FlowSummary& reply) {
  std::array<uint64_t, kFlowStates> states{};
  std::map<std::pair<uint16_t, uint16_t>, uint64_t> backends;
  uint64_t flows = 0;
  uint64_t capacity = 0;
  const Tick tick = Tick::at(parts_.clock.now());
  for (const auto& worker : parts_.workers) {
    capacity += worker->flows().capacity();
    worker->flows().for_each(tick, [&](const FlowEntry& entry) {
      ++flows;
      ++states[static_cast<size_t>(entry.state)];
      ++backends[{entry.backend.pool, entry.backend.place}];
    });
  }
  reply.set_flows(flows);
  reply.set_capacity(capacity);
  for (uint32_t i = 0; i < kFlowStates; ++i) {
    ipc::FlowSummary::State* state = reply.add_states();
    state->set_state(std::string(to_string(static_cast<FlowState>(i))));
    state->set_flows(states[i]);
  }
  for (const auto& [id, count] : backends) {
    ipc::FlowSummary::PerBackend* backend = reply.add_backends();
    if (const auto name = parts_.registry.name_of({id.first, id.second})) {
      backend->set_pool(name->pool);
      backend->set_backend(name->backend);
    }
    backend->set_flows(count);
  }
}

void Control::on_event(const std::string& message) {
  spdlog::info("control: {}", message);
}

}  // namespace maglb
