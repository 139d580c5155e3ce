// What is probed: an address, a port and how. Two backends with equal targets share one probe.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/config/service/model.h"
#include "lib/net/address.h"

namespace maglb {

struct ProbeTarget {
  IpAddress address;  // the backend's: who is judged
  uint16_t port = 0;  // 0: the type has none (icmp), or none is known (exec)
  ProbeConfig config;
  // Where the sockets of the probe go: `address`, but for a probe that travels in a tunnel.
  IpAddress connect_to;
  std::optional<uint32_t> mark = {};  // SO_MARK of its sockets
  // Why it cannot be probed, for a reason of this host's: it is not, and its health is unknown. Empty: it
  // can.
  std::string fault = {};

  // The direct target of a backend. `service_port` is used where the configuration names no port. What
  // the probe's type does not use is set to its default, so that it makes no difference between targets.
  // REQUIRES: config.type is not kNone.
  static ProbeTarget make(const IpAddress& address, uint16_t service_port, const ProbeConfig& config);

  // "tcp 10.0.1.11:80", "http 10.0.1.11:80/healthz", "dns 10.0.1.21:53 NS .", "icmp 10.0.1.11",
  // "tcp 10.0.1.11:80 via 198.51.100.1".
  std::string to_string() const;

  friend bool operator==(const ProbeTarget&, const ProbeTarget&) = default;
  friend std::strong_ordering operator<=>(const ProbeTarget& a, const ProbeTarget& b);
};

}  // namespace maglb
