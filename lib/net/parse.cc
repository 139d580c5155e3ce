#include "lib/net/parse.h"

#include "lib/net/checksum.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

ParseStatus parse_tcp(std::span<const uint8_t> segment, ParsedFrame& out) {
  if (segment.size() < sizeof(TcpHeader)) {
    return ParseStatus::kTruncated;
  }
  const auto& tcp = header_at<TcpHeader>(segment.data());
  if (tcp.length_bytes() < sizeof(TcpHeader) || tcp.length_bytes() > segment.size()) {
    return ParseStatus::kBadL4Header;
  }
  out.key.source_port = tcp.source_port;
  out.key.destination_port = tcp.destination_port;
  out.tcp_flags = tcp.flags;
  return ParseStatus::kFlow;
}

ParseStatus parse_udp(std::span<const uint8_t> datagram, ParsedFrame& out) {
  if (datagram.size() < sizeof(UdpHeader)) {
    return ParseStatus::kTruncated;
  }
  const auto& udp = header_at<UdpHeader>(datagram.data());
  if (udp.length.host() < sizeof(UdpHeader) || udp.length.host() > datagram.size()) {
    return ParseStatus::kBadL4Header;
  }
  out.key.source_port = udp.source_port;
  out.key.destination_port = udp.destination_port;
  out.tcp_flags = 0;
  return ParseStatus::kFlow;
}

ParseStatus parse_l4(std::span<const uint8_t> payload, ParsedFrame& out) {
  return out.key.protocol == Protocol::kTcp ? parse_tcp(payload, out) : parse_udp(payload, out);
}

ParseStatus parse_ipv4(std::span<const uint8_t> bytes, ParsedFrame& out) {
  if (bytes.size() < sizeof(Ipv4Header)) {
    return ParseStatus::kTruncated;
  }
  const auto& ip = header_at<Ipv4Header>(bytes.data());
  if (ip.version() != 4 || ip.length_bytes() < sizeof(Ipv4Header) ||
      ip.total_length.host() < ip.length_bytes()) {
    return ParseStatus::kBadIpHeader;
  }
  if (ip.total_length.host() > bytes.size()) {
    return ParseStatus::kTruncated;
  }
  if (internet_checksum(bytes.first(ip.length_bytes())) != Be16(0)) {
    return ParseStatus::kBadIpChecksum;
  }
  out.l3_length = ip.total_length.host();
  out.key.source = IpAddress::v4(ip.source);
  out.key.destination = IpAddress::v4(ip.destination);
  out.key.protocol = static_cast<Protocol>(ip.protocol);
  if (ip.protocol != kProtocolTcp && ip.protocol != kProtocolUdp) {
    return ParseStatus::kOther;
  }
  out.is_fragment = ip.is_fragment();
  if (out.is_fragment) {
    return ParseStatus::kFragment;
  }
  return parse_l4(bytes.first(ip.total_length.host()).subspan(ip.length_bytes()), out);
}

// An IPv4-mapped address never comes in a packet of its own (RFC 4291 2.5.5.2 has it stand for an IPv4
// node); taken as it is, it would be another family's flow.
ParseStatus parse_ipv6(std::span<const uint8_t> bytes, ParsedFrame& out) {
  if (bytes.size() < sizeof(Ipv6Header)) {
    return ParseStatus::kTruncated;
  }
  const auto& ip = header_at<Ipv6Header>(bytes.data());
  if (ip.version() != 6 || ip.source.is_v4() || ip.destination.is_v4()) {
    return ParseStatus::kBadIpHeader;
  }
  const size_t length = sizeof(Ipv6Header) + ip.payload_length.host();
  if (length > bytes.size() || length > UINT16_MAX) {
    return ParseStatus::kTruncated;
  }
  out.l3_length = static_cast<uint16_t>(length);
  out.is_v6 = true;
  out.key.source = ip.source;
  out.key.destination = ip.destination;
  out.key.protocol = static_cast<Protocol>(ip.next_header);
  if (ip.next_header != kProtocolTcp && ip.next_header != kProtocolUdp) {
    return ParseStatus::kOther;
  }
  return parse_l4(bytes.first(length).subspan(sizeof(Ipv6Header)), out);
}

}  // namespace

ParseStatus parse_frame(std::span<const uint8_t> frame, ParsedFrame& out) {
  if (frame.size() < sizeof(EthernetHeader)) {
    return ParseStatus::kTruncated;
  }
  out.l3_offset = sizeof(EthernetHeader);
  switch (header_at<EthernetHeader>(frame.data()).type.host()) {
    case kEtherTypeIpv4:
      return parse_ipv4(frame.subspan(sizeof(EthernetHeader)), out);
    case kEtherTypeIpv6:
      return parse_ipv6(frame.subspan(sizeof(EthernetHeader)), out);
    default:
      return ParseStatus::kOther;
  }
}

}  // namespace maglb
