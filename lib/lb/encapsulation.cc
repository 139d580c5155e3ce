#include "lib/lb/encapsulation.h"

#include "lib/net/checksum.h"

namespace maglb {
namespace {

constexpr uint16_t kGreBytes = 4;
constexpr uint16_t kGreKeyBytes = 4;
constexpr uint16_t kGueBytes = 4;
constexpr uint16_t kGreHasKey = 0x2000;
// Source ports of the dynamic range tell flows apart (RFC 6335, 6).
constexpr uint16_t kFirstSourcePort = 49152;

void write_gre(uint8_t* out, bool inner_v6, const ServiceExtra& extra) {
  const Be16 flags(extra.has_gre_key ? kGreHasKey : uint16_t{0});
  const Be16 type(inner_v6 ? kEtherTypeIpv6 : kEtherTypeIpv4);
  std::memcpy(out, &flags, 2);
  std::memcpy(out + 2, &type, 2);
  if (extra.has_gre_key) {
    const Be32 key(extra.gre_key);
    std::memcpy(out + kGreBytes, &key, 4);
  }
}

// The checksum is still to come: zero, which IPv4 allows, and IPv6 for tunnels (RFC 6935, 5).
void write_gue(uint8_t* out, uint16_t packet_bytes, bool inner_v6, uint64_t flow, uint16_t port) {
  UdpHeader udp;
  udp.source_port = Be16(static_cast<uint16_t>(kFirstSourcePort | (flow & 0x3fff)));
  udp.destination_port = Be16(port);
  udp.length = Be16(static_cast<uint16_t>(sizeof udp + kGueBytes + packet_bytes));
  std::memcpy(out, &udp, sizeof udp);
  const uint8_t gue[kGueBytes] = {0, inner_v6 ? kProtocolIpv6 : kProtocolIpip, 0, 0};
  std::memcpy(out + sizeof udp, gue, sizeof gue);
}

uint8_t outer_protocol(ForwardMode mode, uint8_t of_packet) {
  return mode == ForwardMode::kGre ? kProtocolGre : mode == ForwardMode::kGue ? kProtocolUdp : of_packet;
}

}  // namespace

uint16_t Encapsulation::shim_bytes() const {
  switch (mode) {
    case ForwardMode::kGre:
      return extra.has_gre_key ? kGreBytes + kGreKeyBytes : kGreBytes;
    case ForwardMode::kGue:
      return sizeof(UdpHeader) + kGueBytes;
    default:
      return 0;
  }
}

void Encapsulation::write(std::span<uint8_t> packet, bool inner_v6, uint64_t flow, const TunnelSource& source,
                          const IpAddress& destination, uint16_t id) const {
  const auto length = static_cast<uint16_t>(packet.size());
  InnerFacts facts =
      inner_v6 ? inner_facts<true>(packet.data(), length) : inner_facts<false>(packet.data(), length);
  facts.length = static_cast<uint16_t>(length + shim_bytes());
  facts.protocol = outer_protocol(mode, facts.protocol);
  facts.dont_fragment = facts.dont_fragment && !may_be_cut;
  uint8_t* const shim = packet.data() - shim_bytes();
  if (mode == ForwardMode::kGre) {
    write_gre(shim, inner_v6, extra);
  } else if (mode == ForwardMode::kGue) {
    write_gue(shim, length, inner_v6, flow, extra.gue_port);
  }
  uint8_t* const outer = shim - tunnel_overhead(outer_v6);
  if (!outer_v6) {
    OuterV4(source).write(outer, facts, flow, destination, id);
    return;
  }
  write_outer_v6(outer, facts, flow, source, destination);
  if (mode == ForwardMode::kGue && extra.udp_checksum) {
    auto& udp = header_at<UdpHeader>(shim);
    const auto& ip = header_at<Ipv6Header>(outer);
    udp.checksum = transport_checksum(ip.source, ip.destination, kProtocolUdp, {shim, facts.length});
  }
}

}  // namespace maglb
