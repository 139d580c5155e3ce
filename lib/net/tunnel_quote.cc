// Two packets deep: what a tunnel's packet carries that an ICMP error quotes.
#include <algorithm>

#include "lib/net/icmp_quote.h"
#include "lib/net/ipv6_chain.h"
#include "lib/net/parse.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

using Bytes = std::span<const uint8_t>;

// Where an inner packet begins, of which family.
struct Inner {
  size_t offset = 0;
  bool is_v6 = false;
};

std::optional<Inner> inner_of_type(uint16_t ether_type, size_t offset) {
  if (ether_type != kEtherTypeIpv4 && ether_type != kEtherTypeIpv6) {
    return std::nullopt;
  }
  return Inner{offset, ether_type == kEtherTypeIpv6};
}

std::optional<Inner> inner_of_protocol(uint8_t protocol, size_t offset) {
  if (protocol != kProtocolIpip && protocol != kProtocolIpv6) {
    return std::nullopt;
  }
  return Inner{offset, protocol == kProtocolIpv6};
}

// RFC 2784, with key and sequence number of RFC 2890; `at` is where its 4 first bytes lie.
std::optional<Inner> behind_gre(Bytes quoted, size_t at) {
  constexpr uint16_t kChecksum = 0x8000;
  constexpr uint16_t kKey = 0x2000;
  constexpr uint16_t kSequence = 0x1000;
  const uint16_t flags = header_at<Be16>(quoted.data() + at).host();
  if ((flags & ~(kChecksum | kKey | kSequence)) != 0) {
    return std::nullopt;
  }
  size_t end = at + 4;
  for (const uint16_t flag : {kChecksum, kKey, kSequence}) {
    end += (flags & flag) != 0 ? 4 : 0;
  }
  return inner_of_type(header_at<Be16>(quoted.data() + at + 2).host(), end);
}

// draft-ietf-intarea-gue: variant 0 has a header of its own, variant 1 is the inner packet itself. `at` is
// where the UDP header lies.
std::optional<Inner> behind_gue(Bytes quoted, size_t at, uint16_t gue_port) {
  const size_t gue = at + sizeof(UdpHeader);
  if (header_at<UdpHeader>(quoted.data() + at).destination_port.host() != gue_port ||
      quoted.size() < gue + 4) {
    return std::nullopt;
  }
  const uint8_t first = quoted[gue];
  switch (first >> 6) {
    case 0: {
      const bool control = (first & 0x20) != 0;
      const size_t header = 4 + (first & 0x1fu) * 4;
      return control ? std::nullopt : inner_of_protocol(quoted[gue + 1], gue + header);
    }
    case 1:
      return Inner{gue, first >> 4 == 6};
    default:
      return std::nullopt;
  }
}

uint8_t protocol_of(Bytes quoted) {
  if (quoted[0] >> 4 == 4) {
    return header_at<Ipv4Header>(quoted.data()).protocol;
  }
  Ipv6Chain chain;
  (void)walk_chain(quoted, quoted.size(), chain);
  return chain.protocol;
}

// `quoted` was read by read_quoted(): its headers and 8 bytes behind them are there.
std::optional<Inner> inner_of(Bytes quoted, uint16_t gue_port) {
  const size_t at = l4_offset(quoted);
  switch (const uint8_t protocol = protocol_of(quoted)) {
    case next_header::kGre:
      return behind_gre(quoted, at);
    case kProtocolUdp:
      return behind_gue(quoted, at, gue_port);
    default:
      return inner_of_protocol(protocol, at);
  }
}

void read_ports(Bytes l4, TunnelQuote& out) {
  constexpr size_t kLeast = 8;
  if (l4.size() < kLeast || (out.key.protocol != Protocol::kTcp && out.key.protocol != Protocol::kUdp)) {
    return;
  }
  out.has_ports = true;
  out.key.source_port = header_at<Be16>(l4.data());
  out.key.destination_port = header_at<Be16>(l4.data() + 2);
}

bool read_v4(Bytes inner, TunnelQuote& out) {
  if (inner.size() < sizeof(Ipv4Header)) {
    return false;
  }
  const auto& ip = header_at<Ipv4Header>(inner.data());
  const size_t header = ip.length_bytes();
  if (ip.version() != 4 || header < sizeof(Ipv4Header) || header > inner.size()) {
    return false;
  }
  out.key.source = IpAddress::v4(ip.source);
  out.key.destination = IpAddress::v4(ip.destination);
  out.key.protocol = static_cast<Protocol>(ip.protocol);
  if ((ip.fragment.host() & 0x1fff) == 0) {
    read_ports(inner.subspan(header), out);
  }
  return true;
}

bool read_v6(Bytes inner, TunnelQuote& out) {
  if (inner.size() < sizeof(Ipv6Header)) {
    return false;
  }
  const auto& ip = header_at<Ipv6Header>(inner.data());
  if (ip.version() != 6 || ip.source.is_v4() || ip.destination.is_v4()) {
    return false;
  }
  Ipv6Chain chain;
  const ChainStatus status = walk_chain(inner, inner.size(), chain);
  out.key.source = ip.source;
  out.key.destination = ip.destination;
  out.key.protocol = static_cast<Protocol>(chain.protocol);
  if (status == ChainStatus::kWhole && chain.is_first()) {
    read_ports(inner.subspan(chain.end), out);
  }
  return true;
}

// The packet's own length: Ethernet padding quotes nothing.
size_t packet_length(Bytes ip) {
  return ip[0] >> 4 == 4 ? header_at<Ipv4Header>(ip.data()).total_length.host()
                         : sizeof(Ipv6Header) + header_at<Ipv6Header>(ip.data()).payload_length.host();
}

}  // namespace

std::optional<TunnelQuote> tunnel_quote(std::span<const uint8_t> ip, uint16_t gue_port) {
  const size_t quote = icmp_quote(ip).offset;
  const Bytes quoted = ip.first(std::min(ip.size(), packet_length(ip))).subspan(quote);
  const auto inner = inner_of(quoted, gue_port);
  if (!inner || inner->offset > quoted.size()) {
    return std::nullopt;
  }
  TunnelQuote out;
  out.offset = static_cast<uint16_t>(quote + inner->offset);
  out.is_v6 = inner->is_v6;
  const Bytes packet = quoted.subspan(inner->offset);
  if (!(inner->is_v6 ? read_v6(packet, out) : read_v4(packet, out))) {
    return std::nullopt;
  }
  return out;
}

}  // namespace maglb
