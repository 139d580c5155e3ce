#include "tests/unit/bpf/steer_model.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace maglb {
namespace {

using Bytes = std::span<const uint8_t>;

uint16_t word(Bytes bytes, size_t at) {
  return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

struct Ip {
  IpAddress source;
  IpAddress destination;
  uint8_t protocol = 0;
  bool later = false;
  bool too_long = false;  // more extension headers than are walked
  Bytes payload;
};

IpAddress v4_at(Bytes bytes, size_t at) {
  return IpAddress::v4(std::array<uint8_t, 4>{bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]});
}

IpAddress v6_at(Bytes bytes, size_t at) {
  IpAddress address;
  std::copy_n(bytes.begin() + static_cast<long>(at), 16, address.bytes.begin());
  return address;
}

std::optional<Ip> read_v4(Bytes bytes, bool whole) {
  if (bytes.size() < 20 || bytes[0] >> 4 != 4 || (bytes[0] & 15) < 5) {
    return std::nullopt;
  }
  const size_t header = (bytes[0] & 15u) * 4;
  const size_t total = word(bytes, 2);
  if (header > bytes.size() || (whole && (total < header || total > bytes.size()))) {
    return std::nullopt;
  }
  Ip ip{v4_at(bytes, 12), v4_at(bytes, 16), bytes[9], (word(bytes, 6) & 0x1fff) != 0, false, {}};
  ip.payload = (whole ? bytes.first(total) : bytes).subspan(header);
  return ip;
}

bool is_extension(uint8_t protocol) {
  return protocol == 0 || protocol == 43 || protocol == 44 || protocol == 60;
}

bool walk(Ip& ip) {
  for (int headers = 0; is_extension(ip.protocol); ++headers) {
    if (headers == 8) {
      ip.too_long = true;
      return true;
    }
    if (ip.payload.size() < 8) {
      return false;
    }
    const bool fragment = ip.protocol == 44;
    if (fragment && (word(ip.payload, 2) & 0xfff8) != 0) {
      ip.later = true;
      return true;
    }
    const size_t length = fragment ? 8 : 8 + ip.payload[1] * 8u;
    if (ip.payload.size() < length) {
      return false;
    }
    ip.protocol = ip.payload[0];
    ip.payload = ip.payload.subspan(length);
  }
  return true;
}

std::optional<Ip> read_v6(Bytes bytes, bool whole) {
  if (bytes.size() < 40 || bytes[0] >> 4 != 6) {
    return std::nullopt;
  }
  const size_t payload = word(bytes, 4);
  if (whole && payload > bytes.size() - 40) {
    return std::nullopt;
  }
  Ip ip{v6_at(bytes, 8), v6_at(bytes, 24), bytes[6], false, false, {}};
  ip.payload = whole ? bytes.subspan(40, payload) : bytes.subspan(40);
  return walk(ip) ? std::optional(ip) : std::nullopt;
}

bool any_of(const std::set<IpPrefix>& prefixes, const IpAddress& address) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

bool matches(const SteerRule& rule, const IpAddress& address, uint8_t protocol,
             std::optional<uint16_t> port) {
  if (!rule.destination.contains(address)) {
    return false;
  }
  if (!port) {
    return rule.protocol == Protocol::kAny && rule.first_port == 0 && rule.last_port == 65535;
  }
  return (rule.protocol == Protocol::kAny || rule.protocol == static_cast<Protocol>(protocol)) &&
         *port >= rule.first_port && *port <= rule.last_port;
}

bool is_service(const SteerWanted& wanted, const IpAddress& address, uint8_t protocol, Bytes payload,
                size_t port_at) {
  if (protocol == 1 || protocol == 2 || protocol == 58) {
    return false;
  }
  std::optional<uint16_t> port;
  if (protocol == 6 || protocol == 17) {
    if (payload.size() < 4) {
      return false;
    }
    port = word(payload, port_at);
  }
  return std::any_of(wanted.packets.begin(), wanted.packets.end(),
                     [&](const SteerRule& rule) { return matches(rule, address, protocol, port); });
}

Why of_icmp(const SteerWanted& wanted, const Ip& outer, bool v6) {
  if (outer.payload.size() < 8) {
    return Why::kKernel;
  }
  const uint8_t type = outer.payload[0];
  if (type == (v6 ? 128 : 8)) {
    return any_of(wanted.echoes, outer.destination) ? Why::kEcho : Why::kKernel;
  }
  if (v6 ? type < 1 || type > 4 : type != 3 && type != 11 && type != 12) {
    return Why::kKernel;
  }
  const Bytes quote = outer.payload.subspan(8);
  const auto quoted = v6 ? read_v6(quote, false) : read_v4(quote, false);
  if (!quoted || quoted->too_long) {
    return quoted ? Why::kKeptHeaders : Why::kKernel;
  }
  if (quoted->later || quoted->source != outer.destination) {
    return Why::kKernel;
  }
  const bool tunnel =
      quoted->protocol == 4 || quoted->protocol == 41 || quoted->protocol == 47 || quoted->protocol == 17;
  if (tunnel && any_of(wanted.tunnel_errors, outer.destination)) {
    return Why::kTunnelError;
  }
  return is_service(wanted, quoted->source, quoted->protocol, quoted->payload, 0) ? Why::kIcmp : Why::kKernel;
}

bool never(const IpAddress& address, bool v6) {
  static const IpPrefix local4 = *IpPrefix::parse("169.254.0.0/16");
  static const IpPrefix local6 = *IpPrefix::parse("fe80::/10");
  static const IpAddress broadcast = ip("255.255.255.255");
  return address.is_multicast() || address.is_v4() == v6 || address == broadcast ||
         local4.contains(address) || local6.contains(address);
}

Why of_packet(const SteerWanted& wanted, Bytes bytes, bool v6) {
  const auto ip = v6 ? read_v6(bytes, true) : read_v4(bytes, true);
  if (!ip || never(ip->destination, v6)) {
    return Why::kKernel;
  }
  if (ip->too_long) {
    return Why::kKeptHeaders;
  }
  if (ip->later) {
    return any_of(wanted.fragments, ip->destination) ? Why::kFragment : Why::kKernel;
  }
  if (ip->protocol == (v6 ? 58 : 1)) {
    return of_icmp(wanted, *ip, v6);
  }
  return is_service(wanted, ip->destination, ip->protocol, ip->payload, 2) ? Why::kService : Why::kKernel;
}

bool is_tag(uint16_t type) {
  return type == 0x8100 || type == 0x88a8;
}

}  // namespace

Why model(const SteerWanted& wanted, const MacAddress& mac, const Frame& frame) {
  if (frame.size() < 14 || !std::equal(mac.bytes.begin(), mac.bytes.end(), frame.begin())) {
    return Why::kKernel;
  }
  size_t at = 12;
  std::vector<uint16_t> ids;
  while (is_tag(word(frame, at))) {
    if (frame.size() < at + 6 || ids.size() == 2) {
      return Why::kKeptVlan;
    }
    ids.push_back(word(frame, at + 2) & 0xfff);
    at += 4;
  }
  if (!ids.empty()) {
    const bool inner_without_id = ids.size() == 2 && ids[1] == 0;
    if (inner_without_id || !wanted.vlans.contains({ids[0], ids.size() == 2 ? ids[1] : uint16_t{0}})) {
      return Why::kKeptVlan;
    }
  }
  const uint16_t type = word(frame, at);
  if (type != kEtherTypeIpv4 && type != kEtherTypeIpv6) {
    return Why::kKernel;
  }
  return of_packet(wanted, Bytes(frame).subspan(at + 2), type == kEtherTypeIpv6);
}

std::ostream& operator<<(std::ostream& out, Why why) {
  constexpr const char* kNames[] = {"kernel", "service",      "fragment",  "icmp",
                                    "echo",   "tunnel error", "kept vlan", "kept headers"};
  return out << kNames[static_cast<size_t>(why)];
}

}  // namespace maglb
