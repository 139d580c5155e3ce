#include "lib/lb/nat_icmp.h"

#include <algorithm>
#include <span>

#include "lib/flow/nat_stream.h"
#include "lib/lb/nat_rewrite.h"

namespace maglb {
namespace {

using nat_detail::Ends;

constexpr size_t kIcmpHeader = 8;  // of every error
constexpr size_t kLeastL4 = 8;     // what every error quotes at least of what follows the IP header (RFC 792)
constexpr uint8_t kProtocolIcmpV6 = 58;

struct IcmpHeader {
  uint8_t type;
  uint8_t code;
  Be16 checksum;
  Be16 upper;
  Be16 lower;
};
static_assert(sizeof(IcmpHeader) == kIcmpHeader && alignof(IcmpHeader) == 1);

bool is_error(uint8_t type, bool is_v6) {
  constexpr uint8_t kUnreachable = 3;
  constexpr uint8_t kTimeExceeded = 11;
  constexpr uint8_t kParameterProblem = 12;
  return is_v6 ? type >= 1 && type <= 4
               : type == kUnreachable || type == kTimeExceeded || type == kParameterProblem;
}

bool is_l4(uint8_t protocol) {
  return protocol == kProtocolTcp || protocol == kProtocolUdp;
}

std::span<uint8_t> message_of(const NatPacket& packet, size_t icmp) {
  return {packet.ip + icmp, packet.length - icmp};
}

// Where the ICMP header is; 0: no ICMP message.
size_t icmp_offset(const NatPacket& packet) {
  if (packet.is_v6) {
    return packet.length >= sizeof(Ipv6Header) && header_at<Ipv6Header>(packet.ip).version() == 6 &&
                   header_at<Ipv6Header>(packet.ip).next_header == kProtocolIcmpV6
               ? sizeof(Ipv6Header)
               : 0;
  }
  if (packet.length < sizeof(Ipv4Header)) {
    return 0;
  }
  const auto& ip = header_at<Ipv4Header>(packet.ip);
  const bool good = ip.version() == 4 && ip.length_bytes() >= sizeof(Ipv4Header) &&
                    ip.protocol == kProtocolIcmp && !ip.is_fragment();
  return good ? ip.length_bytes() : 0;
}

IpAddress source_of(const NatPacket& packet) {
  return packet.is_v6 ? header_at<Ipv6Header>(packet.ip).source
                      : IpAddress::v4(header_at<Ipv4Header>(packet.ip).source);
}

IpAddress destination_of(const NatPacket& packet) {
  return packet.is_v6 ? header_at<Ipv6Header>(packet.ip).destination
                      : IpAddress::v4(header_at<Ipv4Header>(packet.ip).destination);
}

bool is_intact(const NatPacket& packet, size_t icmp) {
  const std::span<const uint8_t> message = message_of(packet, icmp);
  if (!packet.is_v6) {
    return internet_checksum(message) == Be16(0);
  }
  const auto& ip = header_at<Ipv6Header>(packet.ip);
  return transport_checksum_holds(ip.source, ip.destination, kProtocolIcmpV6, message);
}

void seal(const NatPacket& packet, size_t icmp) {
  auto& header = header_at<IcmpHeader>(packet.ip + icmp);
  header.checksum = Be16();
  if (!packet.is_v6) {
    header.checksum = internet_checksum(message_of(packet, icmp));
    return;
  }
  const auto& ip = header_at<Ipv6Header>(packet.ip);
  header.checksum = transport_checksum(ip.source, ip.destination, kProtocolIcmpV6, message_of(packet, icmp));
}

// Addresses, protocol and where the ports are, of a quoted IP header with `room` bytes. False: not whole, not
// TCP or UDP, or a fragment without ports.
bool parse_quoted_v4(const uint8_t* bytes, size_t room, NatQuote& quote) {
  const auto& ip = header_at<Ipv4Header>(bytes);
  constexpr uint16_t kFragmentOffset = 0x1fff;
  if (room < sizeof ip + kLeastL4 || ip.version() != 4 || ip.length_bytes() < sizeof ip ||
      ip.length_bytes() + kLeastL4 > room || (ip.fragment.host() & kFragmentOffset) != 0 ||
      !is_l4(ip.protocol)) {
    return false;
  }
  quote.key.source = IpAddress::v4(ip.source);
  quote.key.destination = IpAddress::v4(ip.destination);
  quote.key.protocol = static_cast<Protocol>(ip.protocol);
  quote.l4 = static_cast<uint16_t>(quote.ip + ip.length_bytes());
  return true;
}

bool parse_quoted_v6(const uint8_t* bytes, size_t room, NatQuote& quote) {
  const auto& ip = header_at<Ipv6Header>(bytes);
  if (room < sizeof ip + kLeastL4 || ip.version() != 6 || !is_l4(ip.next_header) || ip.source.is_v4() ||
      ip.destination.is_v4()) {
    return false;
  }
  quote.key.source = ip.source;
  quote.key.destination = ip.destination;
  quote.key.protocol = static_cast<Protocol>(ip.next_header);
  quote.l4 = static_cast<uint16_t>(quote.ip + sizeof ip);
  return true;
}

// The length that the quoted packet says it has.
uint16_t quoted_length(const uint8_t* ip, bool is_v6) {
  return is_v6 ? static_cast<uint16_t>(header_at<Ipv6Header>(ip).payload_length.host() + sizeof(Ipv6Header))
               : header_at<Ipv4Header>(ip).total_length.host();
}

// An MTU that the error tells, less what a packet grows by on its way.
void lower_mtu(uint8_t* icmp, bool is_v6, uint16_t by) {
  constexpr uint8_t kPacketTooBig = 2;
  constexpr uint8_t kUnreachable = 3;
  auto& header = header_at<IcmpHeader>(icmp);
  const bool tells = is_v6 ? header.type == kPacketTooBig && header.upper == Be16()
                           : header.type == kUnreachable && header.code == kIcmpFragmentationNeeded;
  const uint16_t least = is_v6 ? 1280 : 68;
  if (tells && header.lower.host() >= least) {
    header.lower = Be16(std::max<uint16_t>(least, static_cast<uint16_t>(header.lower.host() - by)));
  }
}

// How the quoted packet is to read: `ends`, a sequence number, and its length.
void rewrite_quoted(const NatPacket& packet, const NatQuote& quote, const Ends& after, uint32_t sequence,
                    uint16_t length) {
  const FlowKey& key = quote.key;
  const Ends before{key.source, key.destination, key.source_port, key.destination_port};
  ChecksumChange change = nat_detail::address_change(before, after);
  nat_detail::rewrite_ip(packet.ip + quote.ip, packet.is_v6, after, length, 0, change);
  uint8_t* const l4 = packet.ip + quote.l4;
  change.replace(key.source_port, after.source_port);
  change.replace(key.destination_port, after.destination_port);
  header_at<Be16>(l4) = after.source_port;
  header_at<Be16>(l4 + 2) = after.destination_port;
  if (key.protocol == Protocol::kUdp) {
    Be16& checksum = header_at<UdpHeader>(l4).checksum;
    checksum = change.applied_to_udp(checksum);
    return;
  }
  Be32& number = header_at<Be32>(l4 + 4);
  change.replace(number, Be32(sequence));
  number = Be32(sequence);
  if (quote.l4 + sizeof(TcpHeader) <= packet.length) {
    Be16& checksum = header_at<TcpHeader>(l4).checksum;
    checksum = change.applied_to(checksum);
  }
}

// The error itself, from `source` to `destination`.
void rewrite_outer(const NatPacket& packet, const NatQuote& quote, const IpAddress& source,
                   const IpAddress& destination) {
  const IpAddress was_source = source_of(packet);
  const IpAddress was_destination = destination_of(packet);
  const Ends before{was_source, was_destination, {}, {}};
  const Ends after{source, destination, {}, {}};
  nat_detail::rewrite_ip(packet.ip, packet.is_v6, after, packet.length, 1,
                         nat_detail::address_change(before, after));
  seal(packet, quote.icmp);
}

uint32_t quoted_sequence(const NatPacket& packet, const NatQuote& quote) {
  return header_at<Be32>(packet.ip + quote.l4 + 4).host();
}

}  // namespace

std::optional<NatQuote> parse_quote(const NatPacket& packet) {
  const size_t icmp = icmp_offset(packet);
  const size_t ip = icmp + kIcmpHeader;
  if (icmp == 0 || ip > packet.length ||
      !is_error(header_at<IcmpHeader>(packet.ip + icmp).type, packet.is_v6) || !is_intact(packet, icmp)) {
    return std::nullopt;
  }
  NatQuote quote;
  quote.icmp = static_cast<uint16_t>(icmp);
  quote.ip = static_cast<uint16_t>(ip);
  const size_t room = packet.length - ip;
  if (!(packet.is_v6 ? parse_quoted_v6(packet.ip + ip, room, quote)
                     : parse_quoted_v4(packet.ip + ip, room, quote)) ||
      quote.key.source != destination_of(packet)) {
    return std::nullopt;
  }
  quote.key.source_port = header_at<Be16>(packet.ip + quote.l4);
  quote.key.destination_port = header_at<Be16>(packet.ip + quote.l4 + 2);
  return quote;
}

NatResult error_to_client(NatPacket& packet, const NatQuote& quote, const NatSession& session) {
  if (nat_detail::ttl_of(packet.ip, packet.is_v6) <= 1) {
    return NatResult::kTtlExceeded;
  }
  uint16_t length = quoted_length(packet.ip + quote.ip, packet.is_v6);
  uint32_t sequence = 0;
  if (session.is_tcp()) {
    const uint32_t on_backend_side = quoted_sequence(packet, quote);
    sequence = acknowledgement_to_client(session, on_backend_side);
    const bool had_header = session.header_length != 0 && !session.has(kNatPastStart) &&
                            from_stream_begin(session, on_backend_side) == 0;
    if (had_header && length >= session.header_length + sizeof(Ipv6Header)) {
      length = static_cast<uint16_t>(length - session.header_length);
      lower_mtu(packet.ip + quote.icmp, packet.is_v6, session.header_length);
    }
  }
  const Ends quoted{session.client, session.service, session.client_port, session.service_port};
  rewrite_quoted(packet, quote, quoted, sequence, length);
  rewrite_outer(packet, quote, session.service, session.client);
  return NatResult::kTranslated;
}

NatResult error_to_backend(NatPacket& packet, const NatQuote& quote, const NatSession& session) {
  if (nat_detail::ttl_of(packet.ip, packet.is_v6) <= 1) {
    return NatResult::kTtlExceeded;
  }
  const uint16_t length = quoted_length(packet.ip + quote.ip, packet.is_v6);
  const uint32_t sequence = session.is_tcp() ? quoted_sequence(packet, quote) : 0;
  const Ends quoted{session.backend, session.nat, session.backend_port, session.nat_port};
  rewrite_quoted(packet, quote, quoted, sequence, length);
  rewrite_outer(packet, quote, session.nat, session.backend);
  return NatResult::kTranslated;
}

}  // namespace maglb
