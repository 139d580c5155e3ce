// A dataplane's socket without a dataplane, for tests of the control plane: it speaks the protocol with
// IpcServer, keeps the state that was applied as names, and writes what happened as lines of JSON.
//
//   dataplane_peer --socket PATH --log FILE [--boot-id N] [--refuse TEXT] [--slow-ms N] [--stats-ms N]
//                  [--max-services N]
//
// Runs until SIGTERM. Each Apply that is taken or refused is one line:
//   {"generation", "base", "whole", "pools": [name], "removed": [name], "services": [name]|null,
//    "result": "applied"|"refused"|"mismatch", "state": {"pools": {name: {"backends": {name: {"state",
//    "weight", "address", "slots"}}, "table"}}, "services": {name: pool}}}
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "lib/base/siphash.h"
#include "lib/ipc/server.h"

namespace maglb {
namespace {

using Json = nlohmann::json;

volatile sig_atomic_t stopping = 0;

struct PeerOptions {
  std::string socket;
  std::string log;
  uint64_t boot_id = 1;
  std::string refuse;
  uint32_t max_services = 0;
  int slow_ms = 0;   // before an Apply is answered
  int stats_ms = 0;  // before counters are answered
};

class Peer : public IpcHandler {
 public:
  explicit Peer(const PeerOptions& options) : options_(options), log_(options.log, std::ios::app) {}

  void fill_hello(ipc::HelloReply& reply) override {
    reply.set_program("dataplane_peer");
    reply.set_generation(generation_);
    reply.set_boot_id(options_.boot_id);
    reply.set_workers(2);
    reply.set_max_services(options_.max_services);
  }

  std::optional<ipc::ApplyReply> apply(Change change, Ticket) override {
    if (options_.slow_ms > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(options_.slow_ms));
    }
    ipc::ApplyReply reply;
    std::string result = "applied";
    if (!options_.refuse.empty()) {
      reply.set_error(options_.refuse);
      result = "refused";
    } else if (change.base_generation != 0 && change.base_generation != generation_) {
      reply.set_base_mismatch(true);
      result = "mismatch";
    } else {
      take(change);
    }
    reply.set_generation(generation_);
    write(change, result);
    return reply;
  }

  void fill_stats(const ipc::StatsRequest&, ipc::Stats& reply) override {
    if (options_.stats_ms > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(options_.stats_ms));
    }
    reply.set_generation(generation_);
    reply.set_boot_id(options_.boot_id);
    reply.set_uptime_ms(1234);
    for (const auto& [name, service] : services_) {
      ipc::ServiceStats& stats = *reply.add_services();
      stats.set_name(name);
      stats.mutable_traffic()->set_packets(10);
      stats.mutable_traffic()->set_bytes(1000);
    }
    for (const auto& [name, pool] : pools_) {
      for (const BackendSpec& backend : pool->backends) {
        ipc::BackendStats& stats = *reply.add_backends();
        stats.set_pool(name);
        stats.set_name(backend.name);
        stats.set_next_hop("unresolved");
        stats.mutable_traffic()->set_packets(5);
        if (pool->passive) {
          stats.mutable_signals()->set_refused(1);
          stats.mutable_signals()->set_repeated(2);
          stats.mutable_signals()->set_lapsed(3);
        }
      }
    }
    ipc::WorkerStats& worker = *reply.add_workers();
    worker.set_received(7);
    worker.set_sent(6);
    ipc::NatUse& nat = *worker.add_nat();
    nat.set_protocol("tcp");
    nat.set_family("ipv6");
    nat.set_sessions(2);
    nat.set_ports(9);
    ipc::NamedCount& dropped = *worker.add_dropped();
    dropped.set_name("too_big");
    dropped.set_value(1);
    ipc::PortStats& port = *reply.add_ports();
    port.set_name("uplink");
    port.set_link_up(true);
  }

  void look_up(const FlowQuery& query, ipc::FlowLookupReply& reply) override {
    for (const auto& [name, service] : services_) {
      if (service.address.contains(query.destination) && service.port.contains(query.destination_port)) {
        reply.set_service_found(true);
        reply.set_service(name);
        reply.set_pool(service.pool);
        reply.set_table_backend(pools_.at(service.pool)->backends.at(0).name);
      }
    }
  }

  void explain(const ExplainQuery& query, ipc::ExplainReply& reply) override {
    ipc::FlowLookupReply found;
    look_up(query.flow, found);
    reply.set_service(found.service());
    reply.set_pool(found.pool());
    reply.set_backend(found.table_backend());
    reply.set_table_backend(found.table_backend());
    reply.mutable_result()->set_verdict(found.service_found() ? "sent" : "kernel");
    ipc::ExplainReply::Step& step = *reply.add_steps();
    step.set_stage("result");
    step.set_text(reply.result().verdict());
  }

  void summarize(ipc::FlowSummary& reply) override {
    reply.set_flows(5);
    reply.set_capacity(100);
    ipc::FlowSummary::State& state = *reply.add_states();
    state.set_state("established");
    state.set_flows(5);
  }

 private:
  void take(const Change& change) {
    if (change.base_generation == 0) {
      pools_.clear();
      services_.clear();
    }
    for (const auto& pool : change.pools) {
      pools_[pool->name] = pool;
    }
    for (const std::string& name : change.removed_pools) {
      pools_.erase(name);
    }
    if (change.services) {
      services_.clear();
      for (const ServiceSpec& service : *change.services) {
        services_[service.name] = service;
      }
    }
    generation_ = change.generation;
  }

  static Json describe(const PoolSpec& pool) {
    std::vector<uint32_t> counts(pool.backends.size());
    for (const uint16_t slot : pool.slots) {
      if (slot < counts.size()) {
        ++counts[slot];
      }
    }
    static constexpr const char* kStates[] = {"up", "drain", "unhealthy", "down"};
    Json backends = Json::object();
    for (size_t i = 0; i < pool.backends.size(); ++i) {
      const BackendSpec& backend = pool.backends[i];
      backends[backend.name] = {{"state", kStates[static_cast<size_t>(backend.state)]},
                                {"weight", backend.weight},
                                {"address", backend.address.to_string()},
                                {"slots", counts[i]}};
    }
    const auto* bytes = reinterpret_cast<const uint8_t*>(pool.slots.data());
    return {{"backends", std::move(backends)},
            {"table", siphash24(SipKey{1, 2}, std::span(bytes, pool.slots.size() * 2))}};
  }

  void write(const Change& change, const std::string& result) {
    Json line = {{"generation", change.generation},
                 {"base", change.base_generation},
                 {"whole", change.base_generation == 0},
                 {"result", result},
                 {"removed", change.removed_pools},
                 {"pools", Json::array()},
                 {"services", nullptr}};
    for (const auto& pool : change.pools) {
      line["pools"].push_back(pool->name);
    }
    if (change.services) {
      line["services"] = Json::array();
      for (const ServiceSpec& service : *change.services) {
        line["services"].push_back(service.name);
      }
    }
    Json pools = Json::object();
    for (const auto& [name, pool] : pools_) {
      pools[name] = describe(*pool);
    }
    Json services = Json::object();
    for (const auto& [name, service] : services_) {
      services[name] = service.pool;
    }
    line["state"] = {{"pools", std::move(pools)}, {"services", std::move(services)}};
    log_ << line.dump() << std::endl;
  }

  PeerOptions options_;
  std::ofstream log_;
  uint64_t generation_ = 0;
  std::map<std::string, std::shared_ptr<const PoolSpec>> pools_;
  std::map<std::string, ServiceSpec> services_;
};

int run(const PeerOptions& options) {
  Peer peer(options);
  auto server = IpcServer::listen(options.socket, peer);
  if (!server) {
    fmt::print(stderr, "{}\n", server.error().message);
    return 1;
  }
  signal(SIGTERM, [](int) { stopping = 1; });
  signal(SIGINT, [](int) { stopping = 1; });
  while (stopping == 0) {
    server->poll_once(monotonic_now(), std::chrono::milliseconds(50));
  }
  return 0;
}

}  // namespace
}  // namespace maglb

int main(int argc, char** argv) {
  maglb::PeerOptions options;
  CLI::App app("a dataplane's socket without a dataplane");
  app.add_option("--socket", options.socket)->required();
  app.add_option("--log", options.log)->required();
  app.add_option("--boot-id", options.boot_id);
  app.add_option("--refuse", options.refuse);
  app.add_option("--max-services", options.max_services);
  app.add_option("--slow-ms", options.slow_ms);
  app.add_option("--stats-ms", options.stats_ms);
  CLI11_PARSE(app, argc, argv);
  return maglb::run(options);
}
