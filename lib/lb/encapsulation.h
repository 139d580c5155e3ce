// Encapsulation of every kind, one body for all: what the service's mode puts in front of a packet. The
// common case, IP in IP, has a way of its own in rewrite.h.
//
//   ipip   outer IP
//   gre    outer IP | flags 2, EtherType 2 | key 4, if there is one          (RFC 2784, RFC 2890)
//   gue    outer IP | UDP 8 | version, length 1, protocol 1, flags 2 = 4     (variant 0, no fields)
#pragma once

#include <cstdint>
#include <span>

#include "lib/lb/tunnel.h"
#include "lib/net/forward_mode.h"
#include "lib/snapshot/view/service_extra.h"

namespace maglb {

struct Encapsulation {
  ForwardMode mode = ForwardMode::kIpip;  // a tunnel's
  bool outer_v6 = false;
  const ServiceExtra& extra;
  bool may_be_cut = false;  // an outer IPv4 header leaves DF clear and has an id, whatever the packet says

  // What stands between the outer IP header and the packet.
  uint16_t shim_bytes() const;
  uint16_t bytes() const { return static_cast<uint16_t>(tunnel_overhead(outer_v6) + shim_bytes()); }

  // Writes bytes() in front of `packet`, an IP packet. `flow`: bits of the flow, which choose the source
  // address, the flow label and the source port. `id`: of an outer IPv4 header that may be fragmented.
  // REQUIRES: writable bytes in front of it, all of the packet in one piece if it gets a UDP checksum, and
  // a source of the outer family.
  void write(std::span<uint8_t> packet, bool inner_v6, uint64_t flow, const TunnelSource& source,
             const IpAddress& destination, uint16_t id) const;
};

}  // namespace maglb
