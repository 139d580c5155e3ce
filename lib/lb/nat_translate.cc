#include "lib/lb/nat_translate.h"

#include <algorithm>
#include <cstring>

#include "lib/flow/nat_stream.h"
#include "lib/lb/nat_rewrite.h"
#include "lib/net/proxy_v2.h"
#include "lib/net/tcp_options.h"

namespace maglb {
namespace {

using nat_detail::Ends;

constexpr uint8_t kTcpUrg = 0x20;
constexpr uint8_t kIpv6Fragment = 44;  // RFC 8200 4.5

TcpHeader& tcp_of(const NatPacket& packet) {
  return header_at<TcpHeader>(packet.ip + packet.l4_offset);
}

std::span<uint8_t> tcp_header_of(const NatPacket& packet) {
  return {packet.ip + packet.l4_offset, tcp_of(packet).length_bytes()};
}

bool is_fragment(const NatPacket& packet) {
  return packet.is_v6 ? header_at<Ipv6Header>(packet.ip).next_header == kIpv6Fragment
                      : header_at<Ipv4Header>(packet.ip).is_fragment();
}

bool is_syn(const NatPacket& packet) {
  return (tcp_of(packet).flags & kTcpSyn) != 0;
}

bool has_header(const NatPacket& packet, const NatSession& session) {
  return session.header_length != 0 && packet.l4_offset != 0;
}

void replace(Be32& field, uint32_t value, ChecksumChange& change) {
  change.replace(field, Be32(value));
  field = Be32(value);
}

// The length in TCP's pseudo header follows the packet's.
void change_length(NatPacket& packet, int32_t by, ChecksumChange& change) {
  const auto before = static_cast<uint16_t>(packet.length - packet.l4_offset);
  packet.length = static_cast<uint16_t>(packet.length + by);
  change.replace(Be16(before), Be16(static_cast<uint16_t>(before + by)));
}

// The headers move into the headroom, and the PROXY header goes where they ended. Both lengths are even, so
// what lies behind keeps its place in the checksum.
void insert_header(NatPacket& packet, const NatSession& session, ChecksumChange& change) {
  const uint8_t length = session.header_length;
  const size_t headers = packet.l4_offset + tcp_of(packet).length_bytes();
  std::memmove(packet.ip - length, packet.ip, headers);
  packet.ip -= length;
  packet.headroom = static_cast<uint16_t>(packet.headroom - length);
  uint8_t* const header = packet.ip + headers;
  write_proxy_v2(proxy_endpoints(session), {header, length});
  for (size_t i = 0; i < length; i += sizeof(Be16)) {
    change.replace(Be16(), header_at<Be16>(header + i));
  }
  change_length(packet, length, change);
  TcpHeader& tcp = tcp_of(packet);
  if ((tcp.flags & kTcpUrg) != 0) {
    nat_detail::replace(tcp.urgent, static_cast<uint16_t>(tcp.urgent.host() + length), change);
  }
}

void cut_data(NatPacket& packet, ChecksumChange& change) {
  const size_t headers = packet.l4_offset + tcp_of(packet).length_bytes();
  for (size_t i = headers; i < packet.length; i += sizeof(Be16)) {
    Be16 cut;
    std::memcpy(cut.bytes, packet.ip + i, std::min(sizeof cut, packet.length - i));
    change.replace(cut, Be16());
  }
  change_length(packet, static_cast<int32_t>(headers) - packet.length, change);
}

void strip_fast_open(std::span<uint8_t> tcp, ChecksumChange& change) {
  constexpr uint8_t kFastOpen = 34;
  constexpr uint8_t kExperimental = 254;  // and 253; RFC 6994: the magic number f989 follows
  constexpr uint8_t kNoOperation = 1;
  TcpOptionWalk walk(tcp);
  while (const auto option = walk.next()) {
    const auto kind = static_cast<uint8_t>(option->kind);
    uint8_t* const bytes = tcp.data() + option->offset;
    const bool experiment = (kind == kExperimental || kind == kExperimental - 1) && option->length >= 4 &&
                            header_at<Be16>(bytes + 2) == Be16(0xf989);
    for (size_t i = 0; (kind == kFastOpen || experiment) && i < option->length; ++i) {
      const size_t word = (option->offset + i) & ~size_t{1};
      auto& field = header_at<Be16>(tcp.data() + word);
      const Be16 before = field;
      bytes[i] = kNoOperation;
      change.replace(before, field);
    }
  }
}

void stream_to_backend(NatPacket& packet, const NatSession& session, uint16_t growth,
                       ChecksumChange& change) {
  if (is_syn(packet)) {
    cut_data(packet, change);
    return strip_fast_open(tcp_header_of(packet), change);
  }
  if (growth != 0) {
    return insert_header(packet, session, change);
  }
  TcpHeader& tcp = tcp_of(packet);
  replace(tcp.sequence, sequence_to_backend(session, tcp.sequence.host()), change);
}

// The client's window is counted from what is acknowledged, so only that of a SYN has to be lowered.
void lower_syn(NatPacket& packet, const NatSession& session, ChecksumChange& change) {
  const std::span<uint8_t> tcp = tcp_header_of(packet);
  const uint16_t length = session.header_length;
  if (const auto mss = mss_option(tcp); mss && mss->value > 2 * length) {
    clamp_mss(tcp, static_cast<uint16_t>(mss->value - length));
  }
  auto& window = tcp_of(packet).window;
  if (window.host() > length) {
    nat_detail::replace(window, static_cast<uint16_t>(window.host() - length), change);
  }
}

void stream_to_client(NatPacket& packet, const NatSession& session, ChecksumChange& change) {
  if (is_syn(packet)) {
    return lower_syn(packet, session, change);
  }
  TcpHeader& tcp = tcp_of(packet);
  if ((tcp.flags & kTcpAck) != 0) {
    replace(tcp.acknowledgement, acknowledgement_to_client(session, tcp.acknowledgement.host()), change);
    shift_sack(tcp_header_of(packet), 0u - session.header_length);
  }
}

// `change`: of what has changed behind the IP header so far.
void rewrite_ends(const NatPacket& packet, bool is_tcp, const Ends& before, const Ends& after,
                  ChecksumChange change) {
  nat_detail::rewrite_ip(packet.ip, packet.is_v6, after, packet.length, 1,
                         nat_detail::address_change(before, after));
  if (packet.l4_offset == 0) {
    return;
  }
  change.replace(before.source, after.source);
  change.replace(before.destination, after.destination);
  change.replace(before.source_port, after.source_port);
  change.replace(before.destination_port, after.destination_port);
  uint8_t* const l4 = packet.ip + packet.l4_offset;
  header_at<Be16>(l4) = after.source_port;
  header_at<Be16>(l4 + 2) = after.destination_port;
  if (is_tcp) {
    Be16& checksum = header_at<TcpHeader>(l4).checksum;
    checksum = change.applied_to(checksum);
  } else {
    Be16& checksum = header_at<UdpHeader>(l4).checksum;
    checksum = change.applied_to_udp(checksum);
  }
}

Ends ends_of_client(const NatSession& s) {
  return {s.client, s.service, s.client_port, s.service_port};
}
Ends ends_to_client(const NatSession& s) {
  return {s.service, s.client, s.service_port, s.client_port};
}
Ends ends_of_backend(const NatSession& s) {
  return {s.backend, s.nat, s.backend_port, s.nat_port};
}
Ends ends_to_backend(const NatSession& s) {
  return {s.nat, s.backend, s.nat_port, s.backend_port};
}

}  // namespace

uint16_t growth_to_backend(const NatPacket& packet, const NatSession& session) {
  const bool grows = has_header(packet, session) && !is_syn(packet) &&
                     carries_header(session, tcp_of(packet).sequence.host());
  return grows ? session.header_length : uint16_t{0};
}

NatResult to_backend(NatPacket& packet, const NatSession& session) {
  if (nat_detail::ttl_of(packet.ip, packet.is_v6) <= 1) {
    return NatResult::kTtlExceeded;
  }
  ChecksumChange change;
  if (has_header(packet, session)) {
    const uint16_t growth = growth_to_backend(packet, session);
    if ((growth != 0 || is_syn(packet)) && is_fragment(packet)) {
      return NatResult::kFragmented;
    }
    if (growth > packet.headroom) {
      return NatResult::kNoHeadroom;
    }
    if (uint32_t{packet.length} + growth > 0xffff) {
      return NatResult::kTooLong;
    }
    stream_to_backend(packet, session, growth, change);
  }
  rewrite_ends(packet, session.is_tcp(), ends_of_client(session), ends_to_backend(session), change);
  return NatResult::kTranslated;
}

NatResult to_client(NatPacket& packet, const NatSession& session, uint16_t mss_limit) {
  if (nat_detail::ttl_of(packet.ip, packet.is_v6) <= 1) {
    return NatResult::kTtlExceeded;
  }
  ChecksumChange change;
  if (has_header(packet, session)) {
    stream_to_client(packet, session, change);
  }
  if (mss_limit != 0 && session.is_tcp() && packet.l4_offset != 0) {
    clamp_mss(tcp_header_of(packet), mss_limit);
  }
  rewrite_ends(packet, session.is_tcp(), ends_of_backend(session), ends_to_client(session), change);
  return NatResult::kTranslated;
}

}  // namespace maglb
