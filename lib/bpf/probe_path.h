// How a probe travels, as plain data: what the control plane says and the program of probe.bpf.c does.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "lib/net/address.h"
#include "lib/net/forward_mode.h"
#include "lib/net/service_options.h"

namespace maglb {

// Where and how a probe travels: what tells one mark from another.
struct ProbePath {
  ForwardMode mode = ForwardMode::kIpip;  // not kNat
  IpAddress backend;
  uint16_t gue_port = 0;  // gue
  bool udp_checksum = false;
  std::optional<uint32_t> gre_key;

  // As a service of this mode and these options reaches the backend; what the mode does not use is left out.
  static ProbePath of(ForwardMode mode, const IpAddress& backend, const ServiceOptions& options);

  friend bool operator==(const ProbePath&, const ProbePath&) = default;
  friend auto operator<=>(const ProbePath&, const ProbePath&) = default;
};

// Addresses of this host that probes come from, outer and inner; none: what the kernel would take.
struct ProbeSources {
  std::optional<IpAddress> v4;
  std::optional<IpAddress> v6;

  const std::optional<IpAddress>& of(const IpAddress& other) const { return other.is_v4() ? v4 : v6; }
};

}  // namespace maglb
