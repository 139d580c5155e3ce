// What the attempts that speak HTTP say alike, to servers and to people. Pure.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "controlplane/probe/target.h"

namespace maglb {

// The Host header, or :authority: as configured, else the address, with the port where it is not the usual.
inline std::string authority_of(const ProbeTarget& target, uint16_t usual_port) {
  if (!target.config.host.empty()) {
    return target.config.host;
  }
  const std::string address = target.address.to_string();
  const std::string host = target.address.is_v4() ? address : "[" + address + "]";
  return target.port == usual_port ? host : fmt::format("{}:{}", host, target.port);
}

// Of a status that is not accepted: "http status 503, expected 200..399, 404".
inline std::string refused_status(const ProbeConfig& config, uint16_t status) {
  std::string expected;
  for (const StatusRange& range : config.status) {
    expected += expected.empty() ? "" : ", ";
    expected +=
        range.low == range.high ? fmt::format("{}", range.low) : fmt::format("{}..{}", range.low, range.high);
  }
  return fmt::format("http status {}, expected {}", status, expected);
}

}  // namespace maglb
