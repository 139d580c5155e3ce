#include "controlplane/api/objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "lib/config/service/diff.h"
#include "lib/config/service/write.h"

namespace maglb {
namespace {

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

Json signals_json(const ipc::BackendSignals& signals) {
  return {{"refused", signals.refused()}, {"repeated", signals.repeated()}, {"lapsed", signals.lapsed()}};
}

// What the dataplane counts, in objects.
class Traffic {
 public:
  explicit Traffic(const HeardStats* stats) : stats_(stats) {}

  void add(Json& object, const ServiceEntry& service) const {
    const ipc::ServiceStats* stats = stats_ == nullptr ? nullptr : stats_->service(service.name);
    add(object, stats == nullptr ? nullptr : &stats->traffic());
  }
  void add(Json& object, const PoolConfig& pool, const BackendConfig& backend) const {
    const ipc::BackendStats* stats = stats_ == nullptr ? nullptr : stats_->backend(pool.name, backend.name);
    object["next_hop"] = stats != nullptr ? Json(stats->next_hop()) : Json(nullptr);
    // Flows now, and packets that opened one when it had all its max_connections.
    object["flows"] = stats != nullptr ? Json(stats->flows()) : Json(nullptr);
    object["refused"] = stats != nullptr ? Json(stats->refused()) : Json(nullptr);
    object["signals"] =
        stats != nullptr && stats->has_signals() ? signals_json(stats->signals()) : Json(nullptr);
    add(object, stats == nullptr ? nullptr : &stats->traffic());
  }

 private:
  // What a connected dataplane has not counted yet is zero.
  void add(Json& object, const ipc::TrafficStats* traffic) const {
    const auto value = [this, traffic](uint64_t count) {
      return traffic != nullptr ? Json(count) : stats_ != nullptr ? Json(0) : Json(nullptr);
    };
    object["packets"] = value(traffic != nullptr ? traffic->packets() : 0);
    object["bytes"] = value(traffic != nullptr ? traffic->bytes() : 0);
    object["new_flows"] = value(traffic != nullptr ? traffic->new_flows() : 0);
  }

  const HeardStats* stats_;
};

struct BackendCounts {
  size_t total = 0;
  size_t by_state[4] = {};
  size_t up() const { return by_state[static_cast<size_t>(BackendState::kUp)]; }
};

BackendCounts count_backends(const Reconciler& reconciler, const PoolConfig& pool) {
  BackendCounts counts;
  for (const BackendConfig& backend : pool.backends) {
    ++counts.total;
    ++counts.by_state[static_cast<size_t>(reconciler.status(pool, backend).effective)];
  }
  return counts;
}

// One port is a number; a range, or any, is text.
Json ports_json(const PortRange& ports) {
  return ports.is_single() ? Json(ports.first) : Json(ports.to_string());
}

Json prefixes_json(const std::vector<IpPrefix>& prefixes) {
  Json list = Json::array();
  for (const IpPrefix& prefix : prefixes) {
    list.push_back(prefix.to_string());
  }
  return list;
}

// The options that the service's mode and protocol have.
void add_options(Json& object, const ServiceEntry& service) {
  const ServiceOptions& options = service.options;
  if (service.forward == ForwardMode::kGue) {
    object["gue_port"] = options.gue_port;
    object["udp_checksum"] = options.udp_checksum;
  }
  if (service.forward == ForwardMode::kGre) {
    object["gre_key"] = options.gre_key ? Json(*options.gre_key) : Json(nullptr);
  }
  if (service.forward == ForwardMode::kNat) {
    object["backend_port"] = options.backend_port != 0 ? Json(options.backend_port) : Json(nullptr);
    object["proxy_protocol"] = options.proxy_protocol ? "v2" : "off";
  }
  if (is_tunnel(service.forward)) {
    object["oversize"] = to_string(options.oversize);
  }
  object["mss"] = options.mss != 0 ? Json(options.mss) : Json(nullptr);
  object["ping"] = options.forward_ping ? "forward" : "answer";
  object["source_allow"] = prefixes_json(options.source_allow);
  object["source_deny"] = prefixes_json(options.source_deny);
  Json quic = Json::array();
  for (const QuicLbConfig& config : options.quic) {
    quic.push_back({{"id", config.id},
                    {"server_id_length", config.server_id_length},
                    {"nonce_length", config.nonce_length}});
  }
  object["quic"] = std::move(quic);
}

Json with_traffic(const Sources& from, const Traffic& traffic, const ServiceEntry& service) {
  const PoolConfig* pool = find_pool(from.reconciler.config(), service.pool);
  const BackendCounts counts = count_backends(from.reconciler, *pool);
  Json object = {{"name", service.name},
                 {"address", service.address.to_short_string()},
                 {"protocol", to_string(service.protocol)},
                 {"port", ports_json(service.port)},
                 {"pool", service.pool},
                 {"forward", to_string(service.forward)},
                 {"flow", service.flow},
                 {"on_failure", to_string(service.on_failure)},
                 {"backends_up", counts.up()},
                 {"backends_total", counts.total}};
  add_options(object, service);
  object["options"] = options_said(service);
  traffic.add(object, service);
  return object;
}

// Null: it is not in drain, or its drain has no end of its own.
Json drain_left(const BackendStatus& status) {
  if (!status.drain_deadline) {
    return nullptr;
  }
  const auto left = *status.drain_deadline - std::chrono::system_clock::now();
  return std::max(std::chrono::duration<double>(left).count(), 0.0);
}

Json with_traffic(const Sources& from, const Traffic& traffic, const PoolConfig& pool,
                  const BackendConfig& backend) {
  const BackendStatus status = from.reconciler.status(pool, backend);
  const bool has_since = status.since != WallTime{};
  const double since = std::chrono::duration<double>(std::chrono::system_clock::now() - status.since).count();
  Json object = {
      {"pool", pool.name},
      {"name", backend.name},
      {"address", backend.address.to_string()},
      {"weight", backend.weight},
      {"state", to_string(backend.state)},
      {"health", to_string(status.health)},
      {"effective", to_string(status.effective)},
      {"reason", status.reason},
      {"since", has_since ? Json(std::max(since, 0.0)) : Json(nullptr)},
      {"slots", status.slots},
      {"share", status.table_size == 0 ? 0.0 : static_cast<double>(status.slots) / status.table_size},
      {"effective_weight", status.effective_weight},
      {"panic", status.panic},
      {"held", status.held},
      {"drain_seconds_left", drain_left(status)}};
  traffic.add(object, pool, backend);
  return object;
}

Json backends_of(const Sources& from, const Traffic& traffic, const PoolConfig& pool) {
  Json list = Json::array();
  for (const BackendConfig& backend : pool.backends) {
    list.push_back(with_traffic(from, traffic, pool, backend));
  }
  return list;
}

Json health_object(const ProbeConfig& health) {
  Json object = {{"type", to_string(health.type)}};
  if (health.type == ProbeType::kNone) {
    return object;
  }
  object["port"] = health.port == 0 ? Json(nullptr) : Json(health.port);
  const bool has_path =
      health.type == ProbeType::kHttp || health.type == ProbeType::kHttps || health.type == ProbeType::kHttp2;
  object["path"] = has_path ? Json(health.path) : Json(nullptr);
  object["interval_seconds"] = seconds(health.interval);
  object["timeout_seconds"] = seconds(health.timeout);
  object["rise"] = health.rise;
  object["fall"] = health.fall;
  return object;
}

Json summary_of(const Sources& from, const PoolConfig& pool) {
  Json services = Json::array();
  for (const ServiceEntry& service : from.reconciler.config().services) {
    if (service.pool == pool.name) {
      services.push_back(service.name);
    }
  }
  const BackendCounts counts = count_backends(from.reconciler, pool);
  const PoolTable& table = from.reconciler.table(pool.name);
  return {{"name", pool.name},
          {"scheduler", to_string(pool.scheduler)},
          {"table_size", pool.table_size},
          {"health", health_object(pool.health)},
          {"options", options_said(pool)},
          {"services", std::move(services)},
          {"backends_up", counts.up()},
          {"backends_total", counts.total},
          {"stale", table.stale},
          {"panic", table.panic},
          {"fallback_serves", table.on_fallback}};
}

template <typename Repeated>
Json counts_object(const Repeated& counts) {
  Json object = Json::object();
  for (const ipc::NamedCount& one : counts) {
    object[one.name()] = one.value();
  }
  return object;
}

Json nat_array(const ipc::WorkerStats& worker) {
  Json uses = Json::array();
  for (const ipc::NatUse& use : worker.nat()) {
    uses.push_back({{"protocol", use.protocol()},
                    {"family", use.family()},
                    {"sessions", use.sessions()},
                    {"ports", use.ports()}});
  }
  return uses;
}

Json worker_object(const ipc::WorkerStats& worker) {
  return {{"worker", worker.worker()},
          {"core", worker.core()},
          {"received", worker.received()},
          {"originated", worker.originated()},
          {"sent", worker.sent()},
          {"kernel", worker.to_kernel()},
          {"held", worker.held()},
          {"dropped", counts_object(worker.dropped())},
          {"events", counts_object(worker.events())},
          {"flows", worker.flows()},
          {"flows_opening", worker.flows_opening()},
          {"flow_capacity", worker.flow_capacity()},
          {"nat", nat_array(worker)},
          {"busy", worker.total_cycles() == 0 ? 0.0
                                              : static_cast<double>(worker.busy_cycles()) /
                                                    static_cast<double>(worker.total_cycles())}};
}

Json totals_object(const ipc::Stats& stats) {
  uint64_t received = 0, originated = 0, sent = 0, kernel = 0, held = 0;
  Json dropped = Json::object();
  for (const ipc::WorkerStats& worker : stats.workers()) {
    received += worker.received();
    originated += worker.originated();
    sent += worker.sent();
    kernel += worker.to_kernel();
    held += worker.held();
    for (const ipc::NamedCount& reason : worker.dropped()) {
      dropped[reason.name()] = dropped.value(reason.name(), uint64_t{0}) + reason.value();
    }
  }
  return {{"received", received}, {"originated", originated},     {"sent", sent}, {"kernel", kernel},
          {"held", held},         {"dropped", std::move(dropped)}};
}

Json port_object(const ipc::PortStats& port) {
  return {{"name", port.name()},
          {"device", port.device()},
          {"link_up", port.link_up()},
          {"mac", port.mac()},
          {"mtu", port.mtu()},
          {"rx_packets", port.rx_packets()},
          {"tx_packets", port.tx_packets()},
          {"rx_missed", port.rx_missed()},
          {"tx_errors", port.tx_errors()}};
}

Json dataplane_object(const Sources& from) {
  const bool connected = from.client.is_connected();
  const std::string& program = from.client.hello().program();  // "maglb-dataplane 0.1.0"
  const std::string error = from.client.error().empty() ? from.publisher.refusal() : from.client.error();
  const auto known = [connected](auto value) { return connected ? Json(value) : Json(nullptr); };
  const uint64_t generation =
      std::max(from.publisher.running_generation(),
               from.stats != nullptr ? from.stats->all().generation() : from.client.hello().generation());
  return {{"connected", connected},
          {"version", known(program.substr(program.rfind(' ') + 1))},
          {"generation", known(generation)},
          {"workers", known(from.client.hello().workers())},
          {"uptime_seconds", from.stats != nullptr
                                 ? Json(static_cast<double>(from.stats->all().uptime_ms()) / 1000)
                                 : Json(nullptr)},
          {"error", error.empty() ? Json(nullptr) : Json(error)}};
}

}  // namespace

std::string_view to_string(BackendState state) {
  constexpr std::string_view kNames[] = {"up", "drain", "unhealthy", "down"};
  return kNames[static_cast<size_t>(state)];
}

std::string_view to_string(ProbeOpinion health) {
  constexpr std::string_view kNames[] = {"unchecked", "unknown", "healthy", "unhealthy"};
  return kNames[static_cast<size_t>(health)];
}

std::string why_not_ready(const Publisher& publisher, const DataplaneClient& client) {
  if (publisher.is_current()) {
    return {};
  }
  if (!client.error().empty()) {
    return client.error();
  }
  return publisher.refusal().empty() ? "the dataplane does not run the wanted generation yet"
                                     : publisher.refusal();
}

Json status_object(const Sources& from) {
  const ServiceConfig& config = from.reconciler.config();
  BackendCounts all;
  for (const PoolConfig& pool : config.pools) {
    const BackendCounts counts = count_backends(from.reconciler, pool);
    all.total += counts.total;
    for (size_t i = 0; i < std::size(all.by_state); ++i) {
      all.by_state[i] += counts.by_state[i];
    }
  }
  Json backends = {{"total", all.total}};
  for (size_t i = 0; i < std::size(all.by_state); ++i) {
    backends[to_string(static_cast<BackendState>(i))] = all.by_state[i];
  }
  const StoredDocument& document = from.reconciler.document();
  return {{"version", MAGLB_VERSION},
          {"uptime_seconds",
           std::chrono::duration<double>(std::chrono::steady_clock::now() - from.started).count()},
          {"ready", from.publisher.is_current()},
          {"generation", from.reconciler.generation()},
          {"dataplane", dataplane_object(from)},
          {"config",
           {{"file", from.reconciler.config_file()},
            {"source", document.source == DocumentSource::kFile ? "file" : "runtime"},
            {"applied_at", seconds_since_1970(document.applied_at)},
            {"revision", document.revision}}},
          {"services", config.services.size()},
          {"pools", config.pools.size()},
          {"backends", std::move(backends)},
          {"warnings", from.reconciler.warnings()}};
}

Json services_object(const Sources& from) {
  const Traffic traffic(from.stats);
  Json list = Json::array();
  for (const ServiceEntry& service : from.reconciler.config().services) {
    list.push_back(with_traffic(from, traffic, service));
  }
  return {{"services", std::move(list)}};
}

Json pools_object(const Sources& from) {
  Json list = Json::array();
  for (const PoolConfig& pool : from.reconciler.config().pools) {
    list.push_back(summary_of(from, pool));
  }
  return {{"pools", std::move(list)}};
}

Json all_backends_object(const Sources& from) {
  const Traffic traffic(from.stats);
  Json list = Json::array();
  for (const PoolConfig& pool : from.reconciler.config().pools) {
    for (Json& backend : backends_of(from, traffic, pool)) {
      list.push_back(std::move(backend));
    }
  }
  return {{"backends", std::move(list)}};
}

Json service_object(const Sources& from, const ServiceEntry& service) {
  return with_traffic(from, Traffic(from.stats), service);
}

Json pool_object(const Sources& from, const PoolConfig& pool) {
  Json object = summary_of(from, pool);
  object["backends"] = backends_of(from, Traffic(from.stats), pool);
  return object;
}

Json backends_object(const Sources& from, const PoolConfig& pool) {
  return {{"backends", backends_of(from, Traffic(from.stats), pool)}};
}

Json backend_object(const Sources& from, const PoolConfig& pool, const BackendConfig& backend) {
  return with_traffic(from, Traffic(from.stats), pool, backend);
}

Json stats_object(const HeardStats* heard) {
  const ipc::Stats* stats = heard == nullptr ? nullptr : &heard->all();
  if (stats == nullptr) {
    return {{"generation", nullptr},
            {"uptime_seconds", nullptr},
            {"totals", nullptr},
            {"workers", nullptr},
            {"ports", nullptr}};
  }
  Json workers = Json::array();
  for (const ipc::WorkerStats& worker : stats->workers()) {
    workers.push_back(worker_object(worker));
  }
  Json ports = Json::array();
  for (const ipc::PortStats& port : stats->ports()) {
    ports.push_back(port_object(port));
  }
  return {{"generation", stats->generation()},
          {"uptime_seconds", static_cast<double>(stats->uptime_ms()) / 1000},
          {"totals", totals_object(*stats)},
          {"workers", std::move(workers)},
          {"ports", std::move(ports)}};
}

namespace {

// When the running revision goes back by itself, in seconds since 1970.
Json confirm_by(const Reconciler& reconciler) {
  const auto& pending = reconciler.unconfirmed();
  return pending ? Json(seconds_since_1970(pending->deadline)) : Json(nullptr);
}

}  // namespace

Json applied_object(const Sources& from, const Applied& applied) {
  const bool runs = from.publisher.running_generation() >= applied.generation;
  return {{"generation", applied.generation},
          {"changed", applied.changed},
          {"revision", applied.revision},
          {"confirm_by", confirm_by(from.reconciler)},
          {"source", applied.source == DocumentSource::kFile ? "file" : "runtime"},
          {"warning", runs ? Json(nullptr) : Json(why_not_ready(from.publisher, from.client))}};
}

namespace {

// Where the flow's next packet goes: to the entry's backend while that may be used.
std::string next_backend(const Reconciler& reconciler, const ipc::FlowLookupReply& reply) {
  const PoolConfig* pool = find_pool(reconciler.config(), reply.pool());
  const BackendConfig* backend = pool == nullptr ? nullptr : find_backend(*pool, reply.flow_backend());
  if (!reply.flow_found() || backend == nullptr) {
    return reply.table_backend();
  }
  const BackendState state = reconciler.status(*pool, *backend).effective;
  const auto& services = reconciler.config().services;
  const bool keeps = std::any_of(services.begin(), services.end(), [&reply](const ServiceEntry& service) {
    // As the workers do: a datagram has no connection that could be kept.
    return service.name == reply.service() && service.on_failure == OnFailure::kKeep &&
           service.protocol == Protocol::kTcp;
  });
  const bool usable = state == BackendState::kUp || state == BackendState::kDrain || keeps;
  return usable ? reply.flow_backend() : reply.table_backend();
}

}  // namespace

Json flow_lookup_object(const Reconciler& reconciler, const ipc::FlowLookupReply& reply) {
  Json flow = {{"found", reply.flow_found()}};
  if (reply.flow_found()) {
    flow["worker"] = reply.worker();
    flow["state"] = reply.state();
    flow["backend"] = text_or_null(reply.flow_backend());
    flow["idle_seconds"] = static_cast<double>(reply.idle_ms()) / 1000;
  }
  return {{"service", reply.service()},
          {"pool", reply.pool()},
          {"flow", std::move(flow)},
          {"slot", reply.slot()},
          {"table_backend", text_or_null(reply.table_backend())},
          {"backend", text_or_null(next_backend(reconciler, reply))}};
}

Json flow_summary_object(const ipc::FlowSummary& summary) {
  Json states = {{"opening", 0}, {"established", 0}, {"closing", 0}, {"udp", 0}};
  for (const ipc::FlowSummary::State& state : summary.states()) {
    states[state.state()] = state.flows();
  }
  Json backends = Json::array();
  for (const ipc::FlowSummary::PerBackend& backend : summary.backends()) {
    backends.push_back(
        {{"pool", backend.pool()}, {"backend", backend.backend()}, {"flows", backend.flows()}});
  }
  return {{"flows", summary.flows()},
          {"capacity", summary.capacity()},
          {"states", std::move(states)},
          {"backends", std::move(backends)}};
}

}  // namespace maglb
