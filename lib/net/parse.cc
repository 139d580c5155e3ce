#include "lib/net/parse.h"

#include <algorithm>

#include "lib/net/checksum.h"
#include "lib/net/icmp_quote.h"
#include "lib/net/ipv6_chain.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

// What the IP header gives, behind it.
struct Payload {
  std::span<const uint8_t> here;  // the bytes at hand
  size_t size = 0;                // >= here.size(): of the packet's payload
  uint8_t protocol = 0;
};

// RFC 1122 3.3.2 and RFC 8200 4.5 give these as errors; a datagram has at most 65,535 bytes.
bool fragment_can_be(size_t offset_bytes, size_t payload_bytes, bool more) {
  return offset_bytes + payload_bytes <= UINT16_MAX && (!more || payload_bytes % 8 == 0);
}

// A header of TCP or UDP that needs `bytes`. A first fragment that has not got them hides them from whoever
// looks at first fragments only.
ParseStatus reach(const Payload& payload, size_t bytes, bool first_fragment, ParseStatus beyond) {
  if (bytes > payload.size) {
    return first_fragment ? ParseStatus::kTinyFragment : beyond;
  }
  return bytes > payload.here.size() ? ParseStatus::kTruncated : ParseStatus::kPacket;
}

ParseStatus parse_tcp(const Payload& payload, bool first_fragment, ParsedFrame& out) {
  const ParseStatus fixed = reach(payload, sizeof(TcpHeader), first_fragment, ParseStatus::kTruncated);
  if (fixed != ParseStatus::kPacket) {
    return fixed;
  }
  const auto& tcp = header_at<TcpHeader>(payload.here.data());
  if (tcp.length_bytes() < sizeof(TcpHeader)) {
    return ParseStatus::kBadL4Header;
  }
  out.key.source_port = tcp.source_port;
  out.key.destination_port = tcp.destination_port;
  out.tcp_flags = tcp.flags;
  return reach(payload, tcp.length_bytes(), first_fragment, ParseStatus::kBadL4Header);
}

ParseStatus parse_udp(const Payload& payload, bool first_fragment, ParsedFrame& out) {
  const ParseStatus fixed = reach(payload, sizeof(UdpHeader), first_fragment, ParseStatus::kTruncated);
  if (fixed != ParseStatus::kPacket) {
    return fixed;
  }
  const auto& udp = header_at<UdpHeader>(payload.here.data());
  // A first fragment's length is that of the datagram, which has more bytes than this packet.
  if (udp.length.host() < sizeof(UdpHeader) || (udp.length.host() > payload.size && !first_fragment)) {
    return ParseStatus::kBadL4Header;
  }
  out.key.source_port = udp.source_port;
  out.key.destination_port = udp.destination_port;
  return ParseStatus::kPacket;
}

ParseStatus parse_icmp(const Payload& payload, ParsedFrame& out) {
  constexpr size_t kHeader = 8;
  if (payload.size < kHeader) {
    return ParseStatus::kOther;
  }
  if (payload.here.size() < kHeader) {
    return ParseStatus::kTruncated;
  }
  const uint8_t type = payload.here[0];
  if (is_echo_request(type, out.is_v6)) {
    out.kind = PacketKind::kEcho;
    out.key.source_port = header_at<Be16>(payload.here.data() + 4);
    return ParseStatus::kPacket;
  }
  const IpAddress destination = out.key.destination;
  if (!is_icmp_error(type, out.is_v6) ||
      !read_quoted(payload.here.subspan(kHeader), out.is_v6, destination, out.key)) {
    return ParseStatus::kOther;
  }
  out.kind = PacketKind::kIcmpError;
  return ParseStatus::kPacket;
}

ParseStatus parse_whole(const Payload& payload, ParsedFrame& out) {
  switch (payload.protocol) {
    case kProtocolTcp:
      return parse_tcp(payload, false, out);
    case kProtocolUdp:
      return parse_udp(payload, false, out);
    case kProtocolIcmp:
      return out.is_v6 ? ParseStatus::kOther : parse_icmp(payload, out);
    case next_header::kIcmpv6:
      return out.is_v6 ? parse_icmp(payload, out) : ParseStatus::kOther;
    case next_header::kIgmp:
    case next_header::kNone:
    case next_header::kHopByHop:  // over IPv4 it is nothing, and Protocol::kAny is no number of the wire
      return ParseStatus::kOther;
    default:
      out.kind = PacketKind::kPortless;
      return ParseStatus::kPacket;
  }
}

ParseStatus parse_fragment(const Payload& payload, size_t offset_bytes, ParsedFrame& out) {
  out.kind = PacketKind::kFragment;
  if (offset_bytes == 0 && payload.protocol == kProtocolTcp) {
    return parse_tcp(payload, true, out);
  }
  if (offset_bytes == 0 && payload.protocol == kProtocolUdp) {
    return parse_udp(payload, true, out);
  }
  // It would write over the flags of the first one's header (RFC 1858 3.2).
  return offset_bytes == 8 && payload.protocol == kProtocolTcp ? ParseStatus::kTinyFragment
                                                               : ParseStatus::kPacket;
}

ParseStatus parse_ipv4(std::span<const uint8_t> bytes, size_t room, ParsedFrame& out) {
  if (bytes.size() < sizeof(Ipv4Header)) {
    return ParseStatus::kTruncated;
  }
  const auto& ip = header_at<Ipv4Header>(bytes.data());
  const size_t total = ip.total_length.host();
  const size_t header = ip.length_bytes();
  if (ip.version() != 4 || header < sizeof(Ipv4Header) || total < header) {
    return ParseStatus::kBadIpHeader;
  }
  if (total > room || header > bytes.size()) {
    return ParseStatus::kTruncated;
  }
  if (internet_checksum(bytes.first(header)) != Be16(0)) {
    return ParseStatus::kBadIpChecksum;
  }
  out.l3_length = ip.total_length.host();
  out.key.source = IpAddress::v4(ip.source);
  out.key.destination = IpAddress::v4(ip.destination);
  out.key.protocol = static_cast<Protocol>(ip.protocol);
  const Payload payload = {bytes.first(std::min(total, bytes.size())).subspan(header), total - header,
                           ip.protocol};
  if (!ip.is_fragment()) {
    return parse_whole(payload, out);
  }
  const size_t offset_bytes = (ip.fragment.host() & 0x1fffu) * 8;
  const bool more = (ip.fragment.host() & 0x2000) != 0;
  return fragment_can_be(offset_bytes, payload.size, more) ? parse_fragment(payload, offset_bytes, out)
                                                           : ParseStatus::kBadIpHeader;
}

ParseStatus status_of(ChainStatus chain, bool first_fragment) {
  switch (chain) {
    case ChainStatus::kWhole:
      return ParseStatus::kPacket;
    case ChainStatus::kBeyond:
      return first_fragment ? ParseStatus::kTinyFragment : ParseStatus::kTruncated;
    case ChainStatus::kNotHere:
      return ParseStatus::kTruncated;
    case ChainStatus::kBad:
      return ParseStatus::kBadIpHeader;
    case ChainStatus::kTooMany:
      return ParseStatus::kTooManyHeaders;
  }
  return ParseStatus::kBadIpHeader;
}

// `ip` holds the packet's bytes at hand and begins with its IPv6 header; all but its ports are known.
ParseStatus parse_behind_ipv6(std::span<const uint8_t> ip, ParsedFrame& out) {
  constexpr size_t kFragmentHeader = 8;
  Ipv6Chain chain;
  const ChainStatus walked = walk_chain(ip, out.l3_length, chain);
  const ParseStatus status = status_of(walked, chain.is_fragment());
  if (chain.is_fragment() &&
      !fragment_can_be(chain.offset_bytes, out.l3_length - (chain.fragment + kFragmentHeader), chain.more)) {
    return ParseStatus::kBadIpHeader;
  }
  if (status != ParseStatus::kPacket) {
    return status;
  }
  out.key.protocol = static_cast<Protocol>(chain.protocol);
  const Payload payload = {ip.subspan(chain.end), out.l3_length - size_t{chain.end}, chain.protocol};
  return chain.is_fragment() ? parse_fragment(payload, chain.offset_bytes, out) : parse_whole(payload, out);
}

// An IPv4-mapped address never comes in a packet of its own (RFC 4291 2.5.5.2 has it stand for an IPv4
// node); taken as it is, it would be another family's flow.
ParseStatus parse_ipv6(std::span<const uint8_t> bytes, size_t room, ParsedFrame& out) {
  if (bytes.size() < sizeof(Ipv6Header)) {
    return ParseStatus::kTruncated;
  }
  const auto& ip = header_at<Ipv6Header>(bytes.data());
  if (ip.version() != 6 || ip.source.is_v4() || ip.destination.is_v4()) {
    return ParseStatus::kBadIpHeader;
  }
  const size_t length = sizeof(Ipv6Header) + ip.payload_length.host();
  if (length > room || length > UINT16_MAX) {
    return ParseStatus::kTruncated;
  }
  out.l3_length = static_cast<uint16_t>(length);
  out.is_v6 = true;
  out.key.source = ip.source;
  out.key.destination = ip.destination;
  return parse_behind_ipv6(bytes.first(std::min(length, bytes.size())), out);
}

bool is_tag(uint16_t type) {
  return type == 0x8100 || type == 0x88a8 || type == 0x9100;  // IEEE 802.1Q, 802.1ad, and before it
}

}  // namespace

ParseStatus parse_frame(std::span<const uint8_t> frame, size_t frame_length, ParsedFrame& out) {
  constexpr uint16_t kTag = 4;
  constexpr uint16_t kVlanId = 0x0fff;
  out = ParsedFrame{};
  out.l3_offset = sizeof(EthernetHeader);
  if (frame.size() < sizeof(EthernetHeader)) {
    return ParseStatus::kTruncated;
  }
  uint16_t type = header_at<EthernetHeader>(frame.data()).type.host();
  for (uint16_t* const id : {&out.vlan_outer, &out.vlan_inner}) {
    if (!is_tag(type)) {
      break;
    }
    const uint8_t* const tag = frame.data() + out.l3_offset;
    out.l3_offset += kTag;
    if (frame.size() < out.l3_offset) {
      return ParseStatus::kTruncated;
    }
    *id = header_at<Be16>(tag).host() & kVlanId;
    type = header_at<Be16>(tag + 2).host();
  }
  const auto ip = frame.subspan(out.l3_offset);
  const size_t room = frame_length - out.l3_offset;
  switch (type) {
    case kEtherTypeIpv4:
      return parse_ipv4(ip, room, out);
    case kEtherTypeIpv6:
      return parse_ipv6(ip, room, out);
    default:
      return ParseStatus::kOther;
  }
}

uint16_t l4_offset(std::span<const uint8_t> ip) {
  if (ip[0] >> 4 == 4) {
    return static_cast<uint16_t>(header_at<Ipv4Header>(ip.data()).length_bytes());
  }
  Ipv6Chain chain;
  (void)walk_chain(ip, sizeof(Ipv6Header) + header_at<Ipv6Header>(ip.data()).payload_length.host(), chain);
  return chain.end;
}

}  // namespace maglb
