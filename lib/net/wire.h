// Headers as they lie on the wire. Every field is bytes or a Be type, so each struct has alignment 1
// and may be laid over a packet at any offset once the length is known to suffice.
#pragma once

#include <cstdint>

#include "lib/base/byte_order.h"
#include "lib/net/address.h"

namespace maglb {

struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  Be16 type;
};
static_assert(sizeof(EthernetHeader) == 14 && alignof(EthernetHeader) == 1);

inline constexpr uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr uint16_t kEtherTypeIpv6 = 0x86dd;
inline constexpr uint16_t kEtherTypeVlan = 0x8100;       // 802.1Q
inline constexpr uint16_t kEtherTypeOuterVlan = 0x88a8;  // 802.1ad

// RFC 791.
struct Ipv4Header {
  uint8_t version_ihl = 0x45;
  uint8_t tos = 0;
  Be16 total_length;
  Be16 id;
  Be16 fragment;  // flags and offset
  uint8_t ttl = 0;
  uint8_t protocol = 0;
  Be16 checksum;
  Be32 source;
  Be32 destination;

  uint8_t version() const { return version_ihl >> 4; }
  uint32_t length_bytes() const { return (version_ihl & 0x0fu) * 4; }
  bool dont_fragment() const { return (fragment.bytes[0] & 0x40) != 0; }
  bool is_fragment() const { return (fragment.host() & 0x3fff) != 0; }
};
static_assert(sizeof(Ipv4Header) == 20 && alignof(Ipv4Header) == 1);

// RFC 8200.
struct Ipv6Header {
  uint8_t version_class = 0x60;  // version 4 bits, upper half of the traffic class
  uint8_t class_flow = 0;        // lower half of the traffic class, upper bits of the flow label
  Be16 flow;
  Be16 payload_length;
  uint8_t next_header = 0;
  uint8_t hop_limit = 0;
  IpAddress source;
  IpAddress destination;

  uint8_t version() const { return version_class >> 4; }
  uint8_t traffic_class() const {
    return static_cast<uint8_t>((version_class & 0x0f) << 4 | class_flow >> 4);
  }
};
static_assert(sizeof(Ipv6Header) == 40 && alignof(Ipv6Header) == 1);

inline constexpr uint16_t kIpv4DontFragment = 0x4000;
inline constexpr uint8_t kProtocolIcmp = 1;
inline constexpr uint8_t kProtocolIpip = 4;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint8_t kProtocolUdp = 17;
inline constexpr uint8_t kProtocolIpv6 = 41;
inline constexpr uint8_t kProtocolGre = 47;
inline constexpr uint8_t kProtocolIcmpv6 = 58;

// RFC 9293.
struct TcpHeader {
  Be16 source_port;
  Be16 destination_port;
  Be32 sequence;
  Be32 acknowledgement;
  uint8_t offset_reserved = 0;
  uint8_t flags = 0;
  Be16 window;
  Be16 checksum;
  Be16 urgent;

  uint32_t length_bytes() const { return (offset_reserved >> 4) * 4u; }
};
static_assert(sizeof(TcpHeader) == 20 && alignof(TcpHeader) == 1);

inline constexpr uint8_t kTcpFin = 0x01;
inline constexpr uint8_t kTcpSyn = 0x02;
inline constexpr uint8_t kTcpRst = 0x04;
inline constexpr uint8_t kTcpAck = 0x10;

// RFC 768.
struct UdpHeader {
  Be16 source_port;
  Be16 destination_port;
  Be16 length;
  Be16 checksum;
};
static_assert(sizeof(UdpHeader) == 8 && alignof(UdpHeader) == 1);

// RFC 792, destination unreachable with the next-hop MTU of RFC 1191.
struct IcmpUnreachable {
  uint8_t type = 3;
  uint8_t code = 0;
  Be16 checksum;
  Be16 unused;
  Be16 next_hop_mtu;
};
static_assert(sizeof(IcmpUnreachable) == 8 && alignof(IcmpUnreachable) == 1);

inline constexpr uint8_t kIcmpFragmentationNeeded = 4;

// REQUIRES: sizeof(Header) readable bytes at `bytes`.
template <typename Header>
const Header& header_at(const uint8_t* bytes) {
  static_assert(alignof(Header) == 1);
  return *reinterpret_cast<const Header*>(bytes);
}
template <typename Header>
Header& header_at(uint8_t* bytes) {
  static_assert(alignof(Header) == 1);
  return *reinterpret_cast<Header*>(bytes);
}

}  // namespace maglb
