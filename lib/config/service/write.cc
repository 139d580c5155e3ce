#include "lib/config/service/write.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>
#include <vector>

#include "lib/base/hex.h"
#include "lib/config/service/pool_fields.h"
#include "lib/config/service/probe_write.h"
#include "lib/config/service/source_fields.h"
#include "lib/config/service/text_values.h"
#include "lib/yaml/text.h"

namespace maglb {

namespace {

std::vector<std::string> quoted_ids(const BackendConfig& backend) {
  std::vector<std::string> ids;
  for (const std::string& id : backend.server_ids) {
    ids.push_back('"' + to_hex(id) + '"');
  }
  return ids;
}

void write_pool(const PoolConfig& pool, std::string& out) {
  const auto to = std::back_inserter(out);
  fmt::format_to(to, "  {}:\n    scheduler: {}\n    table_size: {}\n    health: {}\n", write_text(pool.name),
                 to_string(pool.scheduler), pool.table_size, write_probe(pool.health));
  write_pool_fields(pool, out);
  if (pool.source.type != SourceType::kStatic) {
    fmt::format_to(to, "    source: {}\n", write_source(pool.source));
  }
  out += pool.backends.empty() ? "    backends: []\n" : "    backends:\n";
  for (const BackendConfig& backend : pool.backends) {
    fmt::format_to(to, "      - {{name: {}, address: {}, weight: {}", write_text(backend.name),
                   write_address(backend.address.to_string()), backend.weight);
    if (!backend.server_ids.empty()) {
      fmt::format_to(to, ", server_ids: [{}]", fmt::join(quoted_ids(backend), ", "));
    }
    if (backend.state != AdminState::kUp) {
      fmt::format_to(to, ", state: {}", to_string(backend.state));
    }
    if (backend.max_connections != 0) {
      fmt::format_to(to, ", max_connections: {}", backend.max_connections);
    }
    if (backend.health) {
      fmt::format_to(to, ", health: {}", write_own_probe(*backend.health, pool.health));
    }
    out += "}\n";
  }
}

std::string write_timeouts(const FlowTimeouts& timeouts) {
  return fmt::format("{{opening: {}, established: {}, closing: {}, udp: {}}}",
                     yaml::format_duration(timeouts.opening), yaml::format_duration(timeouts.established),
                     yaml::format_duration(timeouts.closing), yaml::format_duration(timeouts.udp));
}

void write_prefixes(std::string_view key, const std::vector<IpPrefix>& prefixes, std::string& out) {
  if (prefixes.empty()) {
    return;
  }
  fmt::format_to(std::back_inserter(out), "    {}:\n", key);
  for (const IpPrefix& prefix : prefixes) {
    fmt::format_to(std::back_inserter(out), "      - {}\n", write_address(prefix.to_string()));
  }
}

// What is not as it would be without being said.
void write_options(const ServiceOptions& options, std::string& out) {
  const ServiceOptions defaults;
  const auto add_if = [&out](bool is_said, std::string_view key, auto value) {
    if (is_said) {
      fmt::format_to(std::back_inserter(out), "    {}: {}\n", key, value);
    }
  };
  add_if(options.gue_port != defaults.gue_port, "gue_port", options.gue_port);
  add_if(options.udp_checksum, "udp_checksum", "on");
  add_if(options.gre_key.has_value(), "gre_key", options.gre_key.value_or(0));
  add_if(options.backend_port != 0, "backend_port", options.backend_port);
  add_if(options.proxy_protocol, "proxy_protocol", "v2");
  add_if(options.mss != 0, "mss", options.mss);
  add_if(options.forward_ping, "ping", "forward");
  add_if(options.oversize != defaults.oversize, "oversize", to_string(options.oversize));
  write_prefixes("source_allow", options.source_allow, out);
  write_prefixes("source_deny", options.source_deny, out);
  if (!options.quic.empty()) {
    out += "    quic:\n";
  }
  for (const QuicLbConfig& config : options.quic) {
    fmt::format_to(std::back_inserter(out), "      - {{id: {}, server_id_length: {}, nonce_length: {}}}\n",
                   config.id, config.server_id_length, config.nonce_length);
  }
}

void write_service(const ServiceEntry& service, std::string& out) {
  const auto to = std::back_inserter(out);
  fmt::format_to(
      to, "  - name: {}\n    address: {}\n    protocol: {}\n    port: {}\n    pool: {}\n    forward: {}\n",
      write_text(service.name), write_address(service.address.to_short_string()), to_string(service.protocol),
      service.port.to_string(), write_text(service.pool), to_string(service.forward));
  write_options(service.options, out);
  if (!service.flow) {
    out += "    flow: off\n";
  }
  if (service.on_failure != OnFailure::kReschedule) {
    fmt::format_to(to, "    on_failure: {}\n", to_string(service.on_failure));
  }
  if (service.timeouts != FlowTimeouts{}) {
    fmt::format_to(to, "    timeouts: {}\n", write_timeouts(service.timeouts));
  }
}

}  // namespace

std::string write_service_config(const ServiceConfig& config) {
  std::string out = fmt::format("version: 1\nseed: {}\n", config.seed);
  if (config.network_failure != NetworkFailure::kHold) {
    out += fmt::format("network_failure: {}\n", to_string(config.network_failure));
  }
  out += config.pools.empty() ? "pools: {}\n" : "pools:\n";
  for (const PoolConfig& pool : config.pools) {
    write_pool(pool, out);
  }
  out += config.services.empty() ? "services: []\n" : "services:\n";
  for (const ServiceEntry& service : config.services) {
    write_service(service, out);
  }
  return out;
}

std::string_view to_string(AdminState state) {
  switch (state) {
    case AdminState::kUp:
      return "up";
    case AdminState::kDrain:
      return "drain";
    case AdminState::kDown:
      return "down";
  }
  return "?";
}

std::string_view to_string(OnFailure on_failure) {
  switch (on_failure) {
    case OnFailure::kReschedule:
      return "reschedule";
    case OnFailure::kKeep:
      return "keep";
  }
  return "?";
}

std::string_view to_string(ProbeType type) {
  switch (type) {
    case ProbeType::kNone:
      return "none";
    case ProbeType::kTcp:
      return "tcp";
    case ProbeType::kHttp:
      return "http";
    case ProbeType::kHttps:
      return "https";
    case ProbeType::kHttp2:
      return "http2";
    case ProbeType::kGrpc:
      return "grpc";
    case ProbeType::kDns:
      return "dns";
    case ProbeType::kUdp:
      return "udp";
    case ProbeType::kIcmp:
      return "icmp";
    case ProbeType::kExec:
      return "exec";
  }
  return "?";
}

std::string_view to_string(ProbeVia via) {
  return via == ProbeVia::kDirect ? "direct" : "tunnel";
}

std::string_view to_string(DrainEnd end) {
  return end == DrainEnd::kLeave ? "leave" : "close";
}

std::string_view to_string(SourceType type) {
  switch (type) {
    case SourceType::kStatic:
      return "static";
    case SourceType::kFile:
      return "file";
    case SourceType::kDns:
      return "dns";
    case SourceType::kEtcd:
      return "etcd";
  }
  return "?";
}

std::string_view to_string(DnsRecords records) {
  switch (records) {
    case DnsRecords::kA:
      return "a";
    case DnsRecords::kAaaa:
      return "aaaa";
    case DnsRecords::kBoth:
      return "both";
    case DnsRecords::kSrv:
      return "srv";
  }
  return "?";
}

std::string_view to_string(NetworkFailure failure) {
  return failure == NetworkFailure::kHold ? "hold" : "act";
}

std::string to_string(const Quorum& quorum) {
  return fmt::format("{}{}", quorum.value, quorum.is_percent ? "%" : "");
}

}  // namespace maglb
