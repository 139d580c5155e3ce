#include "controlplane/probe/target.h"

#include <fmt/format.h>

#include <tuple>

#include "lib/base/check.h"
#include "lib/config/service/write.h"

namespace maglb {
namespace {

auto ordered(const ProbeTarget& target) {
  const ProbeConfig& c = target.config;
  return std::tie(target.address, target.port, target.connect_to, target.mark, target.fault, c.type, c.via,
                  c.port, c.path, c.host, c.method, c.status, c.body, c.http_version, c.tls, c.grpc_service,
                  c.dns, c.send, c.expect, c.command, c.interval, c.fast_interval, c.timeout, c.cool_down,
                  c.rise, c.fall);
}

bool speaks_http(ProbeType type) {
  return type == ProbeType::kHttp || type == ProbeType::kHttps || type == ProbeType::kHttp2;
}

// When to probe and what to make of it: of every type.
ProbeConfig schedule_of(const ProbeConfig& config) {
  ProbeConfig kept;
  kept.type = config.type;
  kept.via = config.via;
  kept.interval = config.interval;
  kept.fast_interval = config.fast_interval;
  kept.timeout = config.timeout;
  kept.cool_down = config.cool_down;
  kept.rise = config.rise;
  kept.fall = config.fall;
  return kept;
}

void keep_http(ProbeConfig& kept, const ProbeConfig& config) {
  kept.path = config.path;
  kept.host = config.host;
  kept.method = config.method;
  kept.status = config.status;
  kept.body = config.body;
  if (config.type == ProbeType::kHttps) {
    kept.http_version = config.http_version;
    kept.tls = config.tls;
  }
}

ProbeConfig what_counts(const ProbeConfig& config) {
  ProbeConfig kept = schedule_of(config);
  if (speaks_http(config.type)) {
    keep_http(kept, config);
  } else if (config.type == ProbeType::kGrpc) {
    kept.host = config.host;
    kept.tls = config.tls;
    kept.grpc_service = config.grpc_service;
  } else if (config.type == ProbeType::kDns) {
    kept.dns = config.dns;
  } else if (config.type == ProbeType::kUdp) {
    kept.send = config.send;
    kept.expect = config.expect;
  } else if (config.type == ProbeType::kExec) {
    kept.command = config.command;
  }
  return kept;
}

std::string detail_of(const ProbeConfig& config) {
  if (speaks_http(config.type)) {
    return config.path;
  }
  if (config.type == ProbeType::kDns) {
    return fmt::format(" {}{} {}", config.dns.over_tcp ? "tcp " : "", config.dns.type, config.dns.name);
  }
  if (config.type == ProbeType::kGrpc && !config.grpc_service.empty()) {
    return " " + config.grpc_service;
  }
  if (config.type == ProbeType::kExec && !config.command.empty()) {
    return " " + config.command[0];
  }
  return "";
}

}  // namespace

ProbeTarget ProbeTarget::make(const IpAddress& address, uint16_t service_port, const ProbeConfig& config) {
  check(config.type != ProbeType::kNone, "a target is something to probe");
  ProbeTarget target{address, config.port != 0 ? config.port : service_port, what_counts(config), address};
  if (config.type == ProbeType::kIcmp) {
    target.port = 0;
  }
  return target;
}

std::string ProbeTarget::to_string() const {
  const std::string text = address.to_string();
  const std::string host = port == 0         ? text
                           : address.is_v4() ? fmt::format("{}:{}", text, port)
                                             : fmt::format("[{}]:{}", text, port);
  const std::string via = connect_to == address ? "" : " via " + connect_to.to_string();
  return fmt::format("{} {}{}{}", maglb::to_string(config.type), host, detail_of(config), via);
}

std::strong_ordering operator<=>(const ProbeTarget& a, const ProbeTarget& b) {
  return ordered(a) <=> ordered(b);
}

}  // namespace maglb
