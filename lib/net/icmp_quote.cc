#include "lib/net/icmp_quote.h"

#include "lib/net/ipv6_chain.h"
#include "lib/net/parse.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

constexpr size_t kIcmpHeader = 8;
constexpr size_t kLeastQuoted = 8;  // of the quoted packet's payload (RFC 792)

// The reversed tuple's protocol and ports from the 8 bytes at `l4`; its addresses are set.
bool read_ports(uint8_t protocol, const uint8_t* l4, bool is_v6, FlowKey& reversed) {
  reversed.protocol = static_cast<Protocol>(protocol);
  reversed.source_port = reversed.destination_port = Be16(0);
  switch (protocol) {
    case kProtocolTcp:
    case kProtocolUdp:
      reversed.source_port = header_at<Be16>(l4 + 2);
      reversed.destination_port = header_at<Be16>(l4);
      return true;
    case kProtocolIcmp:
    case next_header::kIcmpv6: {
      constexpr uint8_t kEchoReply = 0;
      constexpr uint8_t kEchoReplyV6 = 129;
      reversed.source_port = header_at<Be16>(l4 + 4);
      return is_v6 ? protocol == next_header::kIcmpv6 && l4[0] == kEchoReplyV6
                   : protocol == kProtocolIcmp && l4[0] == kEchoReply;
    }
    case next_header::kIgmp:
    case next_header::kNone:
    case next_header::kHopByHop:
      return false;
    default:
      return true;
  }
}

bool read_quoted_v4(std::span<const uint8_t> quoted, const IpAddress& source, FlowKey& reversed) {
  if (quoted.size() < sizeof(Ipv4Header)) {
    return false;
  }
  const auto& ip = header_at<Ipv4Header>(quoted.data());
  const size_t header = ip.length_bytes();
  if (ip.version() != 4 || header < sizeof(Ipv4Header) || quoted.size() < header + kLeastQuoted ||
      (ip.fragment.host() & 0x1fff) != 0 || IpAddress::v4(ip.source) != source) {
    return false;
  }
  reversed.source = IpAddress::v4(ip.destination);
  reversed.destination = source;
  return read_ports(ip.protocol, quoted.data() + header, false, reversed);
}

bool read_quoted_v6(std::span<const uint8_t> quoted, const IpAddress& source, FlowKey& reversed) {
  if (quoted.size() < sizeof(Ipv6Header)) {
    return false;
  }
  const auto& ip = header_at<Ipv6Header>(quoted.data());
  Ipv6Chain chain;
  if (ip.version() != 6 || ip.source != source || ip.destination.is_v4() ||
      walk_chain(quoted, quoted.size(), chain) != ChainStatus::kWhole || !chain.is_first() ||
      quoted.size() < chain.end + kLeastQuoted) {
    return false;
  }
  reversed.source = ip.destination;
  reversed.destination = source;
  return read_ports(chain.protocol, quoted.data() + chain.end, true, reversed);
}

uint32_t reported_mtu(const uint8_t* icmp, bool is_v6) {
  constexpr uint8_t kUnreachable = 3;
  constexpr uint8_t kTooBigV6 = 2;
  if (is_v6) {
    return icmp[0] == kTooBigV6 ? header_at<Be32>(icmp + 4).host() : 0;
  }
  const bool too_big = icmp[0] == kUnreachable && icmp[1] == kIcmpFragmentationNeeded;
  return too_big ? header_at<Be16>(icmp + 6).host() : 0;
}

}  // namespace

bool is_icmp_error(uint8_t type, bool is_v6) {
  return is_v6 ? type >= 1 && type <= 4 : type == 3 || type == 11 || type == 12;
}

bool is_echo_request(uint8_t type, bool is_v6) {
  return type == (is_v6 ? 128 : 8);
}

bool is_unreachable(uint8_t type, uint8_t code, bool is_v6) {
  return is_v6 ? type == 1 : type == 3 && code != kIcmpFragmentationNeeded;
}

IcmpQuote icmp_quote(std::span<const uint8_t> ip) {
  const bool is_v6 = ip[0] >> 4 == 6;
  const size_t at = l4_offset(ip);
  const uint8_t* const icmp = ip.data() + at;
  return {static_cast<uint16_t>(at + kIcmpHeader), icmp[0], icmp[1], reported_mtu(icmp, is_v6)};
}

bool read_quoted(std::span<const uint8_t> quoted, bool is_v6, const IpAddress& source, FlowKey& reversed) {
  return is_v6 ? read_quoted_v6(quoted, source, reversed) : read_quoted_v4(quoted, source, reversed);
}

}  // namespace maglb
