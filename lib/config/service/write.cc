#include "lib/config/service/write.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

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

std::string write_probe(const ProbeConfig& probe) {
  const ProbeConfig defaults;
  std::string out = fmt::format("{{type: {}", to_string(probe.type));
  const auto to = std::back_inserter(out);
  if (probe.type != ProbeType::kNone) {
    if (probe.port != 0) {
      fmt::format_to(to, ", port: {}", probe.port);
    }
    if (probe.type == ProbeType::kHttp) {
      fmt::format_to(to, ", path: {}", scalar(probe.path));
      if (!probe.host.empty()) {
        fmt::format_to(to, ", host: {}", scalar(probe.host));
      }
      if (probe.status_low != defaults.status_low || probe.status_high != defaults.status_high) {
        fmt::format_to(to, ", status: {}-{}", probe.status_low, probe.status_high);
      }
    }
    fmt::format_to(to, ", interval: {}, timeout: {}, rise: {}, fall: {}",
                   yaml::format_duration(probe.interval), yaml::format_duration(probe.timeout), probe.rise,
                   probe.fall);
  }
  return out + "}";
}

void write_pool(const PoolConfig& pool, std::string& out) {
  const auto to = std::back_inserter(out);
  fmt::format_to(to, "  {}:\n    scheduler: {}\n    table_size: {}\n    health: {}\n", scalar(pool.name),
                 to_string(pool.scheduler), pool.table_size, write_probe(pool.health));
  out += pool.backends.empty() ? "    backends: []\n" : "    backends:\n";
  for (const BackendConfig& backend : pool.backends) {
    fmt::format_to(to, "      - {{name: {}, address: {}, weight: {}", scalar(backend.name),
                   backend.address.to_string(), backend.weight);
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

void write_service(const ServiceEntry& service, std::string& out) {
  const auto to = std::back_inserter(out);
  fmt::format_to(
      to, "  - name: {}\n    address: {}\n    protocol: {}\n    port: {}\n    pool: {}\n    forward: {}\n",
      scalar(service.name), service.address.to_string(), to_string(service.protocol), service.port,
      scalar(service.pool), to_string(service.forward));
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
  }
  return "?";
}

}  // namespace maglb
