#include "lib/config/service/write.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "lib/base/hex.h"
#include "lib/yaml/text.h"

namespace maglb {

namespace {

// Words that YAML's readers take for something else than text.
bool is_reserved(std::string_view text) {
  static constexpr std::string_view kReserved[] = {"null", "true", "false", "yes", "no",
                                                   "on",   "off",  "y",     "n"};
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return std::find(std::begin(kReserved), std::end(kReserved), lower) != std::end(kReserved);
}

// As it is where that is surely text, else in double quotes.
std::string scalar(std::string_view text) {
  const bool plain =
      !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) != 0 &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
          std::string_view::npos;
  if (plain && !is_reserved(text)) {
    return std::string(text);
  }
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
    }
    quoted += c;
  }
  return quoted + '"';
}

// An address or a prefix: IPv6's colons are YAML's, too.
std::string address_text(const std::string& text) {
  return text.find(':') == std::string::npos ? text : '"' + text + '"';
}

std::string write_probe(const ProbeConfig& probe) {
  const ProbeConfig defaults;
  std::string out = fmt::format("{{type: {}", to_string(probe.type));
  const auto to = std::back_inserter(out);
  if (probe.type != ProbeType::kNone) {
    if (probe.port != 0) {
      fmt::format_to(to, ", port: {}", probe.port);
    }
    if (probe.via == ProbeVia::kTunnel) {
      fmt::format_to(to, ", via: tunnel");
    }
    if (probe.type == ProbeType::kHttp) {
      fmt::format_to(to, ", path: {}", scalar(probe.path));
      if (!probe.host.empty()) {
        fmt::format_to(to, ", host: {}", scalar(probe.host));
      }
      if (probe.status != defaults.status) {
        fmt::format_to(to, ", status: {}-{}", probe.status[0].low, probe.status[0].high);
      }
    }
    fmt::format_to(to, ", interval: {}, timeout: {}, rise: {}, fall: {}",
                   yaml::format_duration(probe.interval), yaml::format_duration(probe.timeout), probe.rise,
                   probe.fall);
  }
  return out + "}";
}

std::vector<std::string> quoted_ids(const BackendConfig& backend) {
  std::vector<std::string> ids;
  for (const std::string& id : backend.server_ids) {
    ids.push_back('"' + to_hex(id) + '"');
  }
  return ids;
}

void write_pool(const PoolConfig& pool, std::string& out) {
  const auto to = std::back_inserter(out);
  fmt::format_to(to, "  {}:\n    scheduler: {}\n    table_size: {}\n    health: {}\n", scalar(pool.name),
                 to_string(pool.scheduler), pool.table_size, write_probe(pool.health));
  out += pool.backends.empty() ? "    backends: []\n" : "    backends:\n";
  for (const BackendConfig& backend : pool.backends) {
    fmt::format_to(to, "      - {{name: {}, address: {}, weight: {}", scalar(backend.name),
                   address_text(backend.address.to_string()), backend.weight);
    if (!backend.server_ids.empty()) {
      fmt::format_to(to, ", server_ids: [{}]", fmt::join(quoted_ids(backend), ", "));
    }
    if (backend.state != AdminState::kUp) {
      fmt::format_to(to, ", state: {}", to_string(backend.state));
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
    fmt::format_to(std::back_inserter(out), "      - {}\n", address_text(prefix.to_string()));
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
      scalar(service.name), address_text(service.address.to_short_string()), to_string(service.protocol),
      service.port.to_string(), scalar(service.pool), to_string(service.forward));
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

std::string_view to_string(Scheduler scheduler) {
  switch (scheduler) {
    case Scheduler::kMaglev:
      return "maglev";
    case Scheduler::kSourceHash:
      return "source-hash";
    case Scheduler::kRoundRobin:
      return "round-robin";
    case Scheduler::kLeastConnections:
      return "least-connections";
    case Scheduler::kRandom:
      return "random";
  }
  return "?";
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

}  // namespace maglb
