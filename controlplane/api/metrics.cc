#include "controlplane/api/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <deque>
#include <initializer_list>
#include <limits>
#include <span>
#include <utility>

#include "lib/config/service/write.h"

namespace maglb {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::initializer_list<std::pair<const char*, std::string>>;

// Families in the order they were first named.
class Page {
 public:
  MetricFamily& counter(const char* name, const char* help) {
    return family(name, help, MetricType::Counter);
  }
  MetricFamily& gauge(const char* name, const char* help) { return family(name, help, MetricType::Gauge); }
  MetricFamily& histogram(const char* name, const char* help) {
    return family(name, help, MetricType::Histogram);
  }

  // Turns what was added so far into text, which takes a fraction of the memory. No reference to a family
  // is valid behind it.
  void write() {
    for (; !families_.empty(); families_.pop_front()) {
      if (!families_.front().metric.empty()) {
        text_ += prometheus::TextSerializer().Serialize({std::move(families_.front())});
      }
    }
  }
  std::string text() && {
    write();
    return std::move(text_);
  }

 private:
  MetricFamily& family(const char* name, const char* help, MetricType type) {
    families_.push_back({name, help, type, {}});
    return families_.back();
  }

  std::deque<MetricFamily> families_;  // references stay valid
  std::string text_;
};

void add(MetricFamily& family, Labels labels, double value) {
  ClientMetric metric;
  for (const auto& [name, text] : labels) {
    metric.label.push_back({name, text});
  }
  (family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  family.metric.push_back(std::move(metric));
}

void add(MetricFamily& family, Labels labels, uint64_t value) {
  add(family, labels, static_cast<double>(value));
}

// `counts` of each bound for itself, and one more of what is above the last.
void add(MetricFamily& family, Labels labels, std::span<const double> bounds,
         std::span<const uint64_t> counts, double sum) {
  ClientMetric metric;
  for (const auto& [name, text] : labels) {
    metric.label.push_back({name, text});
  }
  uint64_t below = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    below += counts[i];
    const double bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back({below, bound});
  }
  metric.histogram.sample_count = below;
  metric.histogram.sample_sum = sum;
  family.metric.push_back(std::move(metric));
}

ProbeType next(ProbeType type) {
  return static_cast<ProbeType>(static_cast<uint8_t>(type) + 1);
}

// In seconds.
constexpr auto kProbeBounds = [] {
  std::array<double, ProbeHistogram::kBounds.size()> bounds{};
  for (size_t i = 0; i < bounds.size(); ++i) {
    bounds[i] = std::chrono::duration<double>(ProbeHistogram::kBounds[i]).count();
  }
  return bounds;
}();

void add_control_plane(Page& page, const Sources& from) {
  using std::chrono::duration;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto up = std::chrono::steady_clock::now() - from.started;
  add(page.gauge("maglb_controlplane_info", "The control plane's version."), {{"version", MAGLB_VERSION}},
      1.0);
  add(page.gauge("maglb_controlplane_start_time_seconds", "When the control plane started, since 1970."), {},
      duration<double>(now - up).count());
  add(page.gauge("maglb_ready", "1 when the dataplane runs the wanted generation."), {},
      from.publisher.is_current() ? 1.0 : 0.0);
  add(page.gauge("maglb_dataplane_connected", "1 while the control plane is connected to the dataplane."), {},
      from.client.is_connected() ? 1.0 : 0.0);
  add(page.gauge("maglb_generation_wanted", "The generation that shall run."), {},
      from.reconciler.generation());
  add(page.gauge("maglb_config_applied_time_seconds", "When the running document was applied, since 1970."),
      {}, duration<double>(from.reconciler.document().applied_at.time_since_epoch()).count());
  add(page.gauge("maglb_config_revision", "The revision of the running document."), {},
      static_cast<uint64_t>(from.reconciler.document().revision));
  add(page.gauge("maglb_config_warnings", "Warnings that /v1/status lists now."), {},
      static_cast<uint64_t>(from.reconciler.warnings().size()));
  add(page.counter("maglb_publishes_sent_total", "States sent to the dataplane."), {},
      from.publisher.applies());
  add(page.counter("maglb_publishes_refused_total", "States that the dataplane refused."), {},
      from.publisher.refusals());
  const LatencyHistogram& latency = from.publisher.latency();
  add(page.histogram("maglb_publish_duration_seconds",
                     "From sending a state to the dataplane until its workers run it."),
      {}, LatencyHistogram::kBounds, latency.counts(), latency.sum_seconds());
  add(page.counter("maglb_table_builds_total", "Tables of pools that were built anew."), {},
      from.reconciler.build_counters().tables);
  add(page.counter("maglb_table_build_seconds_total", "Time spent on building states of tables."), {},
      from.reconciler.build_counters().seconds);
  add(page.counter("maglb_health_transitions_total", "Changes of a backend's health by its probe."), {},
      from.reconciler.transitions());
}

void add_probe_attempts(Page& page, const Reconciler& reconciler) {
  MetricFamily& results =
      page.counter("maglb_probe_attempts_total", "Finished probe attempts by type and result.");
  for (auto type = ProbeType::kTcp; type <= ProbeType::kExec; type = next(type)) {
    const ProbeTypeCounters counts = reconciler.probe_counters(type);
    const auto result = [&](const char* name, uint64_t count) {
      add(results, {{"type", std::string(to_string(type))}, {"result", name}}, count);
    };
    result("success", counts.successes);
    result("failure", counts.failures);
    result("skipped", counts.skipped);
    result("cancelled", counts.cancelled);
  }
}

// A series once there is something in it: most pools never see a failure.
void add_probe_latency(Page& page, const Reconciler& reconciler) {
  MetricFamily& family = page.histogram(
      "maglb_probe_duration_seconds",
      "How long the probes of a pool took; those that timed out are failures at their timeout.");
  for (const PoolConfig& pool : reconciler.config().pools) {
    const ProbeLatency* latency = reconciler.probe_latency(pool.name);
    const auto result = [&](const char* name, const ProbeHistogram& histogram) {
      if (histogram.count() > 0) {
        add(family, {{"pool", pool.name}, {"result", name}}, kProbeBounds, histogram.buckets,
            std::chrono::duration<double>(histogram.sum).count());
      }
    };
    if (latency != nullptr) {
      result("success", latency->success);
      result("failure", latency->failure);
    }
  }
}

void add_probes(Page& page, const Reconciler& reconciler) {
  const ProbeCounters probes = reconciler.probe_counters();
  add_probe_attempts(page, reconciler);
  add_probe_latency(page, reconciler);
  add(page.gauge("maglb_probe_hold", "1 while all probes fail together and nothing is done about it."), {},
      reconciler.holding() ? 1.0 : 0.0);
  add(page.gauge("maglb_probe_in_flight", "Probe attempts under way."), {}, probes.in_flight);
  add(page.gauge("maglb_probe_waiting", "Probe attempts that are due and wait for a descriptor."), {},
      probes.waiting);
  add(page.gauge("maglb_probe_targets", "Distinct targets that are probed."), {}, probes.targets);
}

void add_events(Page& page, const EventCounts& events) {
  MetricFamily& family = page.counter("maglb_events_total", "Events of the control plane's log by kind.");
  for (size_t i = 0; i < kEventKinds; ++i) {
    const auto kind = static_cast<EventKind>(i);
    add(family, {{"kind", std::string(to_string(kind))}}, events.of(kind));
  }
}

void add_totals(Page& page, const Sources& from) {
  const ServiceConfig& config = from.reconciler.config();
  size_t backends = 0;
  for (const PoolConfig& pool : config.pools) {
    backends += pool.backends.size();
  }
  add(page.gauge("maglb_services", "Services of the running configuration."), {},
      uint64_t{config.services.size()});
  add(page.gauge("maglb_pools", "Pools of the running configuration."), {}, uint64_t{config.pools.size()});
  add(page.gauge("maglb_backends", "Backends of all pools."), {}, uint64_t{backends});
}

void add_pools(Page& page, const Sources& from) {
  MetricFamily& stale =
      page.gauge("maglb_pool_stale", "1 while every backend fails and the last table stays.");
  MetricFamily& panic = page.gauge(
      "maglb_pool_panic", "1 while fewer than min_healthy are healthy and all are treated as healthy.");
  MetricFamily& fallback = page.gauge("maglb_pool_fallback_serving", "1 while the pool's fallback serves.");
  MetricFamily& state = page.gauge("maglb_backend_state", "1 for the state that a backend is in.");
  MetricFamily& healthy = page.gauge("maglb_backend_healthy", "1 unless the probe says the backend fails.");
  MetricFamily& weight = page.gauge("maglb_backend_weight", "The configured weight.");
  MetricFamily& slots = page.gauge("maglb_backend_slots", "Slots of the pool's table that name the backend.");
  for (const PoolConfig& pool : from.reconciler.config().pools) {
    const PoolTable& table = from.reconciler.table(pool.name);
    add(stale, {{"pool", pool.name}}, table.stale ? 1.0 : 0.0);
    add(panic, {{"pool", pool.name}}, table.panic ? 1.0 : 0.0);
    add(fallback, {{"pool", pool.name}}, table.on_fallback ? 1.0 : 0.0);
    for (const BackendConfig& backend : pool.backends) {
      const BackendStatus status = from.reconciler.status(pool, backend);
      const Labels labels = {{"pool", pool.name}, {"backend", backend.name}};
      add(healthy, labels, status.health == ProbeOpinion::kUnhealthy ? 0.0 : 1.0);
      add(weight, labels, uint64_t{backend.weight});
      add(slots, labels, uint64_t{status.slots});
      for (const BackendState each :
           {BackendState::kUp, BackendState::kDrain, BackendState::kUnhealthy, BackendState::kDown}) {
        add(state, {{"pool", pool.name}, {"backend", backend.name}, {"state", std::string(to_string(each))}},
            each == status.effective ? 1.0 : 0.0);
      }
    }
  }
}

void add_traffic(Page& page, const HeardStats& stats) {
  MetricFamily& packets = page.counter("maglb_service_packets_total", "Packets received for a service.");
  MetricFamily& bytes = page.counter("maglb_service_bytes_total", "IP bytes received for a service.");
  MetricFamily& flows = page.counter("maglb_service_new_flows_total", "Flows opened at a service.");
  for (const ipc::ServiceStats& service : stats.all().services()) {
    add(packets, {{"service", service.name()}}, service.traffic().packets());
    add(bytes, {{"service", service.name()}}, service.traffic().bytes());
    add(flows, {{"service", service.name()}}, service.traffic().new_flows());
  }
  MetricFamily& to_packets = page.counter("maglb_backend_packets_total", "Packets sent to a backend.");
  MetricFamily& to_bytes =
      page.counter("maglb_backend_bytes_total", "IP bytes sent to a backend, as received.");
  MetricFamily& to_flows = page.counter("maglb_backend_new_flows_total", "Flows opened to a backend.");
  MetricFamily& open = page.gauge("maglb_backend_flows", "Flows of a backend now.");
  MetricFamily& refused = page.counter("maglb_backend_refused_total",
                                       "Packets that opened a flow of a backend at its max_connections.");
  for (const auto& [pool, backends] : stats.pools()) {
    for (const auto& [name, backend] : backends) {
      const Labels labels = {{"pool", pool}, {"backend", name}};
      add(to_packets, labels, backend.traffic().packets());
      add(to_bytes, labels, backend.traffic().bytes());
      add(to_flows, labels, backend.traffic().new_flows());
      add(open, labels, backend.flows());
      add(refused, labels, backend.refused());
    }
  }
}

// Of passive pools.
void add_signals(Page& page, const HeardStats& stats) {
  MetricFamily& refused =
      page.counter("maglb_backend_opening_refused_total", "Flows that were opening and somebody said no to.");
  MetricFamily& repeated = page.counter("maglb_backend_opening_repeated_total",
                                        "SYNs once more, of flows that were opening already.");
  MetricFamily& lapsed =
      page.counter("maglb_backend_opening_lapsed_total", "Flows of which nothing but SYNs was seen.");
  for (const auto& [pool, backends] : stats.pools()) {
    for (const auto& [name, backend] : backends) {
      if (!backend.has_signals()) {
        continue;
      }
      const Labels labels = {{"pool", pool}, {"backend", name}};
      add(refused, labels, backend.signals().refused());
      add(repeated, labels, backend.signals().repeated());
      add(lapsed, labels, backend.signals().lapsed());
    }
  }
}

void add_workers(Page& page, const ipc::Stats& stats) {
  MetricFamily& received = page.counter("maglb_worker_received_packets_total", "Packets received.");
  MetricFamily& originated = page.counter("maglb_worker_originated_packets_total", "Packets made by maglb.");
  MetricFamily& sent = page.counter("maglb_worker_sent_packets_total", "Packets that the driver accepted.");
  MetricFamily& kernel = page.counter("maglb_worker_kernel_packets_total", "Packets handed to the kernel.");
  MetricFamily& dropped = page.counter("maglb_worker_dropped_packets_total", "Packets dropped by reason.");
  MetricFamily& held = page.gauge("maglb_worker_held_packets", "Packets held back for later.");
  MetricFamily& events =
      page.counter("maglb_worker_events_total", "What happened beside the packet counters.");
  MetricFamily& flows = page.gauge("maglb_worker_flows", "Entries in the flow table.");
  MetricFamily& opening = page.gauge("maglb_worker_flows_opening", "Entries that are opening.");
  MetricFamily& capacity = page.gauge("maglb_worker_flow_capacity", "Entries that the flow table can have.");
  MetricFamily& sessions =
      page.gauge("maglb_worker_nat_sessions", "Sessions of nat services by protocol and family.");
  MetricFamily& ports = page.gauge("maglb_worker_nat_ports", "How many such sessions there can be.");
  MetricFamily& busy = page.counter("maglb_worker_busy_cycles_total", "CPU cycles spent on packets.");
  MetricFamily& cycles = page.counter("maglb_worker_cycles_total", "CPU cycles passed.");
  for (const ipc::WorkerStats& worker : stats.workers()) {
    const std::string number = std::to_string(worker.worker());
    const Labels labels = {{"worker", number}};
    add(received, labels, worker.received());
    add(originated, labels, worker.originated());
    add(sent, labels, worker.sent());
    add(kernel, labels, worker.to_kernel());
    add(held, labels, worker.held());
    add(flows, labels, worker.flows());
    add(opening, labels, worker.flows_opening());
    add(capacity, labels, worker.flow_capacity());
    for (const ipc::NatUse& use : worker.nat()) {
      const Labels of = {{"worker", number}, {"protocol", use.protocol()}, {"family", use.family()}};
      add(sessions, of, use.sessions());
      add(ports, of, use.ports());
    }
    add(busy, labels, worker.busy_cycles());
    add(cycles, labels, worker.total_cycles());
    for (const ipc::NamedCount& reason : worker.dropped()) {
      add(dropped, {{"worker", number}, {"reason", reason.name()}}, reason.value());
    }
    for (const ipc::NamedCount& event : worker.events()) {
      add(events, {{"worker", number}, {"event", event.name()}}, event.value());
    }
  }
}

void add_ports(Page& page, const ipc::Stats& stats) {
  MetricFamily& up = page.gauge("maglb_port_link_up", "1 while the port has a link.");
  MetricFamily& rx = page.counter("maglb_port_received_packets_total", "Packets that the driver received.");
  MetricFamily& tx = page.counter("maglb_port_sent_packets_total", "Packets that the driver sent.");
  MetricFamily& missed = page.counter("maglb_port_missed_packets_total", "Packets lost before the workers.");
  MetricFamily& errors =
      page.counter("maglb_port_send_errors_total", "Packets that the driver could not send.");
  for (const ipc::PortStats& port : stats.ports()) {
    const Labels labels = {{"port", port.name()}};
    add(up, labels, port.link_up() ? 1.0 : 0.0);
    add(rx, labels, port.rx_packets());
    add(tx, labels, port.tx_packets());
    add(missed, labels, port.rx_missed());
    add(errors, labels, port.tx_errors());
  }
}

void add_dataplane(Page& page, const ipc::Stats& stats) {
  add(page.gauge("maglb_generation_running", "The generation that the workers read."), {},
      stats.generation());
  add(page.gauge("maglb_dataplane_uptime_seconds", "How long the dataplane runs."), {},
      static_cast<double>(stats.uptime_ms()) / 1000);
  add(page.counter("maglb_dataplane_publishes_total", "States that the dataplane published."), {},
      stats.publishes());
  add(page.counter("maglb_dataplane_publishes_rejected_total", "States that the dataplane rejected."), {},
      stats.publishes_rejected());
}

}  // namespace

std::string metrics_text(const Sources& from, const EventCounts& events) {
  Page page;
  add_control_plane(page, from);
  add_probes(page, from.reconciler);
  add_events(page, events);
  add_totals(page, from);
  add_pools(page, from);
  if (from.stats != nullptr) {
    add_dataplane(page, from.stats->all());
    page.write();
    add_traffic(page, *from.stats);
    add_signals(page, *from.stats);
    page.write();
    add_workers(page, from.stats->all());
    add_ports(page, from.stats->all());
  }
  return std::move(page).text();
}

}  // namespace maglb
