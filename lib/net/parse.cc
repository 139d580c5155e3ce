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
  if (ip.is_fragment()) {
    return ParseStatus::kFragment;
  }
  const auto payload = bytes.first(ip.total_length.host()).subspan(ip.length_bytes());
  return ip.protocol == kProtocolTcp ? parse_tcp(payload, out) : parse_udp(payload, out);
}

}  // namespace

ParseStatus parse_frame(std::span<const uint8_t> frame, ParsedFrame& out) {
  if (frame.size() < sizeof(EthernetHeader)) {
    return ParseStatus::kTruncated;
  }
  if (header_at<EthernetHeader>(frame.data()).type.host() != kEtherTypeIpv4) {
    return ParseStatus::kOther;
  }
  out.l3_offset = sizeof(EthernetHeader);
  return parse_ipv4(frame.subspan(sizeof(EthernetHeader)), out);
}

}  // namespace maglb
