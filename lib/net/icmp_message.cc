#include "lib/net/icmp_message.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/net/checksum.h"

namespace maglb {
namespace {

constexpr uint8_t kTtl = 64;
constexpr uint8_t kV4EchoReply = 0;
constexpr uint8_t kV4Echo = 8;
constexpr uint8_t kV6PacketTooBig = 2;
constexpr uint8_t kV6Echo = 128;
constexpr uint8_t kV6EchoReply = 129;

// RFC 792 and RFC 4443: what the echo messages of both families begin with.
struct IcmpEcho {
  uint8_t type;
  uint8_t code;
  Be16 checksum;
  Be16 identifier;
  Be16 sequence;
};
static_assert(sizeof(IcmpEcho) == 8 && alignof(IcmpEcho) == 1);

// RFC 4443, 3.2.
struct Icmpv6PacketTooBig {
  uint8_t type = kV6PacketTooBig;
  uint8_t code = 0;
  Be16 checksum;
  Be32 mtu;
};
static_assert(sizeof(Icmpv6PacketTooBig) == sizeof(IcmpUnreachable) && alignof(Icmpv6PacketTooBig) == 1);

// Moves the quote to its place, before any header is written over a packet that lies there.
size_t quote(std::span<const uint8_t> packet, std::span<uint8_t> out, size_t headers, size_t longest) {
  const size_t quoted = std::min({packet.size(), out.size() - headers, longest - headers});
  if (quoted > 0) {  // an empty span may point nowhere
    std::memmove(out.data() + headers, packet.data(), quoted);
  }
  return quoted;
}

size_t write_too_big_v4(const TooBig& message, std::span<const uint8_t> packet, std::span<uint8_t> out) {
  const size_t quoted = quote(packet, out, kErrorHeadersV4, kLongestErrorV4);
  uint8_t* const body = out.data() + sizeof(Ipv4Header);
  IcmpUnreachable icmp;
  icmp.code = kIcmpFragmentationNeeded;
  icmp.next_hop_mtu = Be16(static_cast<uint16_t>(std::min<uint32_t>(message.mtu, 0xffff)));
  std::memcpy(body, &icmp, sizeof icmp);
  header_at<IcmpUnreachable>(body).checksum = internet_checksum({body, sizeof icmp + quoted});

  Ipv4Header ip;
  ip.total_length = Be16(static_cast<uint16_t>(kErrorHeadersV4 + quoted));
  ip.fragment = Be16(kIpv4DontFragment);  // an ID of 0 is for what is never fragmented (RFC 6864, 4.1)
  ip.ttl = kTtl;
  ip.protocol = kProtocolIcmp;
  ip.source = message.source.to_v4();
  ip.destination = message.destination.to_v4();
  ip.checksum = internet_checksum({reinterpret_cast<const uint8_t*>(&ip), sizeof ip});
  std::memcpy(out.data(), &ip, sizeof ip);
  return kErrorHeadersV4 + quoted;
}

size_t write_too_big_v6(const TooBig& message, std::span<const uint8_t> packet, std::span<uint8_t> out) {
  const size_t quoted = quote(packet, out, kErrorHeadersV6, kLongestErrorV6);
  uint8_t* const body = out.data() + sizeof(Ipv6Header);
  Icmpv6PacketTooBig icmp;
  icmp.mtu = Be32(message.mtu);
  std::memcpy(body, &icmp, sizeof icmp);
  header_at<Icmpv6PacketTooBig>(body).checksum =
      transport_checksum(message.source, message.destination, kProtocolIcmpv6, {body, sizeof icmp + quoted});

  Ipv6Header ip;
  ip.payload_length = Be16(static_cast<uint16_t>(sizeof icmp + quoted));
  ip.next_header = kProtocolIcmpv6;
  ip.hop_limit = kTtl;
  ip.source = message.source;
  ip.destination = message.destination;
  std::memcpy(out.data(), &ip, sizeof ip);
  return kErrorHeadersV6 + quoted;
}

bool is_one_host(const IpAddress& address) {
  if (address.is_unspecified() || address.is_multicast() || address.is_loopback()) {
    return false;
  }
  return !address.is_v4() || (address.bytes[12] != 0 && address.bytes[12] < 240);
}

bool may_be_answered(const IpAddress& source, const IpAddress& destination) {
  return is_one_host(source) && is_one_host(destination) && source != destination;
}

bool is_echo(const uint8_t* icmp, uint8_t type) {
  const auto& echo = header_at<IcmpEcho>(icmp);
  return echo.type == type && echo.code == 0;
}

// Swapped addresses leave every sum as it is: only the type changes.
Be16 reply_checksum(IcmpEcho echo, uint8_t type) {
  ChecksumChange change;
  change.replace(Be16(static_cast<uint16_t>(echo.type << 8)), Be16(static_cast<uint16_t>(type << 8)));
  return change.applied_to(echo.checksum);
}

bool is_v4_echo(std::span<const uint8_t> packet) {
  constexpr size_t kLeast = sizeof(Ipv4Header) + sizeof(IcmpEcho);
  if (packet.size() < kLeast) {
    return false;
  }
  const auto& ip = header_at<Ipv4Header>(packet.data());
  return ip.version_ihl == 0x45 && ip.total_length.host() >= kLeast &&
         ip.total_length.host() <= packet.size() && !ip.is_fragment() && ip.protocol == kProtocolIcmp &&
         internet_checksum(packet.first(sizeof ip)) == Be16(0) &&
         is_echo(packet.data() + sizeof ip, kV4Echo) &&
         may_be_answered(IpAddress::v4(ip.source), IpAddress::v4(ip.destination));
}

bool is_v6_echo(std::span<const uint8_t> packet) {
  if (packet.size() < sizeof(Ipv6Header) + sizeof(IcmpEcho)) {
    return false;
  }
  const auto& ip = header_at<Ipv6Header>(packet.data());
  const size_t payload = ip.payload_length.host();
  return ip.version() == 6 && payload >= sizeof(IcmpEcho) && payload <= packet.size() - sizeof ip &&
         ip.next_header == kProtocolIcmpv6 && is_echo(packet.data() + sizeof ip, kV6Echo) &&
         !ip.source.is_v4() && !ip.destination.is_v4() && may_be_answered(ip.source, ip.destination);
}

void become_reply_v4(uint8_t* packet) {
  auto& ip = header_at<Ipv4Header>(packet);
  const size_t length = ip.total_length.host() - sizeof ip;
  std::swap(ip.source, ip.destination);
  ip.ttl = kTtl;
  ip.checksum = Be16(0);
  ip.checksum = internet_checksum({packet, sizeof ip});

  auto& echo = header_at<IcmpEcho>(packet + sizeof ip);
  echo.checksum = reply_checksum(echo, kV4EchoReply);
  echo.type = kV4EchoReply;
  // A reply of zeros alone has ffff, for which a change gives 0000: there is no pseudo header (RFC 1624, 4).
  const auto nothing = Be16(0xffff);
  if (echo.checksum == Be16(0) && internet_checksum({packet + sizeof ip, length}) == nothing) {
    echo.checksum = nothing;
  }
}

void become_reply_v6(uint8_t* packet) {
  auto& ip = header_at<Ipv6Header>(packet);
  std::swap(ip.source, ip.destination);
  ip.hop_limit = kTtl;
  auto& echo = header_at<IcmpEcho>(packet + sizeof ip);
  echo.checksum = reply_checksum(echo, kV6EchoReply);
  echo.type = kV6EchoReply;
}

}  // namespace

size_t write_too_big(const TooBig& message, std::span<const uint8_t> packet, std::span<uint8_t> out) {
  const bool v4 = message.source.is_v4();
  if (out.size() < (v4 ? kErrorHeadersV4 : kErrorHeadersV6)) {
    return 0;
  }
  return v4 ? write_too_big_v4(message, packet, out) : write_too_big_v6(message, packet, out);
}

bool echo_reply_in_place(std::span<uint8_t> packet, bool is_v6) {
  if (is_v6 ? !is_v6_echo(packet) : !is_v4_echo(packet)) {
    return false;
  }
  is_v6 ? become_reply_v6(packet.data()) : become_reply_v4(packet.data());
  return true;
}

}  // namespace maglb
