// What is probed: an address, a port and how. Two backends with equal targets share one probe.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "lib/config/service/model.h"
#include "lib/net/address.h"

namespace maglb {

struct ProbeTarget {
  IpAddress address;
  uint16_t port = 0;
  ProbeConfig config;

  // The target of a backend. `service_port` is used where the configuration names no port. What the
  // probe's type does not use is set to its default, so that it makes no difference between targets.
  // REQUIRES: config.type is not kNone.
  static ProbeTarget make(const IpAddress& address, uint16_t service_port, const ProbeConfig& config);

  // "tcp 10.0.1.11:80", "http 10.0.1.11:80/healthz".
  std::string to_string() const;

  friend bool operator==(const ProbeTarget&, const ProbeTarget&) = default;
  friend std::strong_ordering operator<=>(const ProbeTarget& a, const ProbeTarget& b);
};

}  // namespace maglb
