// One Ethernet frame -> what kind of packet it holds, where its parts lie and its 5-tuple, or why not.
//
// Every length is checked before it is used (RFC 1812 5.2.2 for IPv4, RFC 8200 for IPv6). Hostile input is
// the normal case here: a frame may be of any length down to zero and hold anything. Both functions read
// only the frame's bytes and write nothing but their result.
//
// parse_common() is the way that nearly every packet takes, a few words at a time; parse_frame() takes
// every frame, with up to two VLAN tags, and says what is wrong. The checksums of TCP, UDP and ICMP are
// left to whom the packet is for.
//
// What more there is to read of a fragment and of an ICMP error: fragment.h, icmp_quote.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/net/flow_key.h"
#include "lib/net/wire.h"

namespace maglb {

enum class ParseStatus : uint8_t {
  kPacket,       // ParsedFrame::kind says of what kind; every field is set
  kOther,        // nothing that a service can match: another EtherType, a third tag, ICMP but for its errors
                 // and echo requests, IGMP, an ICMP error that quotes too little or another's packet
  kTruncated,    // ends before its headers do, or they are not in the bytes at hand
  kBadIpHeader,  // version, header or total length, an IPv4-mapped address in IPv6, the order of extension
                 // headers, routing header type 0 (RFC 5095), an impossible fragment
  kBadIpChecksum,
  kBadL4Header,     // TCP data offset or UDP length can't be
  kTinyFragment,    // a first fragment that ends within its headers, or TCP at offset 8 (RFC 1858, RFC 7112)
  kTooManyHeaders,  // more IPv6 extension headers than ipv6_chain.h allows
};

enum class PacketKind : uint8_t {
  kFlow,       // TCP or UDP with its ports, not a fragment (RFC 6946: an atomic fragment is none)
  kFragment,   // of any protocol; the first of TCP or UDP has its ports, all others have ports 0
  kIcmpError,  // the key is that of the quoted packet reversed: of what the flow's client sends
  kEcho,       // an echo request: the source port is its identifier, the destination port 0
  kPortless,   // any other protocol, by its number; ports 0
};

// The protocol of a later IPv6 fragment is what its fragment header names, which may be an extension header.
struct ParsedFrame {
  FlowKey key;
  uint16_t l3_offset = 0;  // of the IP header in the frame: 14, and 4 more for each tag
  bool is_v6 = false;
  PacketKind kind = PacketKind::kFlow;
  uint16_t vlan_outer = 0;  // id of the first tag; 0: none, or a tag that only gives a priority
  uint16_t vlan_inner = 0;  // of the second
  uint16_t l3_length = 0;   // the IP packet's own length: Ethernet padding is not part of it
  uint8_t tcp_flags = 0;    // 0 but for TCP with its ports

  // The five fields behind the key, in one store.
  void set_untagged_flow(bool v6) {
    store_le(reinterpret_cast<uint8_t*>(this) + sizeof(FlowKey), sizeof(EthernetHeader) | uint64_t{v6} << 16);
  }
};
static_assert(offsetof(ParsedFrame, l3_offset) == sizeof(FlowKey));
static_assert(offsetof(ParsedFrame, is_v6) == sizeof(FlowKey) + 2 && PacketKind::kFlow == PacketKind{0});
static_assert(offsetof(ParsedFrame, vlan_inner) == sizeof(FlowKey) + 6);
static_assert(sizeof(ParsedFrame) <= 56);

inline constexpr size_t kLargestFrame = 9728;  // jumbo frames; no length above it is refused

// `frame` are the bytes at hand, `frame_length` the whole frame's: one in several buffers has more of them
// than its first shows. Headers must lie in `frame`, packets in `frame_length`. No field of `out` counts
// unless this gives kPacket, but for l3_offset, which is above 14 if and only if there is a tag.
// REQUIRES: frame.size() <= frame_length.
ParseStatus parse_frame(std::span<const uint8_t> frame, size_t frame_length, ParsedFrame& out);

// A frame in one piece.
inline ParseStatus parse_frame(std::span<const uint8_t> frame, ParsedFrame& out) {
  return parse_frame(frame, frame.size(), out);
}

// Where the header behind those of IP begins: of TCP, UDP, ICMP or another.
// REQUIRES: `ip` begins at l3_offset of a frame that parsed as any kind but kFragment, and holds what
// parse_frame() saw of it.
uint16_t l4_offset(std::span<const uint8_t> ip);

// True: an untagged frame of IPv4 without options or IPv6 without extension headers that holds a whole TCP or
// UDP header, all of it in order; `out` is as parse_frame() makes it. False: nothing is said of the frame.
// `Keys` writes a key's addresses from an IP header; there are others with wider instructions.
struct PortableKeys {
  // REQUIRES: the 20 bytes of an IPv4 header and 4 more, and the 40 of an IPv6 header.
  static void set_v4(FlowKey& key, const uint8_t* ip) {
    constexpr uint64_t kMapped = 0xffff0000;
    key.set_addresses(0, kMapped | uint64_t{load_le32(ip + 12)} << 32, 0,
                      kMapped | uint64_t{load_le32(ip + 16)} << 32);
  }
  static void set_v6(FlowKey& key, const uint8_t* ip) {
    key.set_addresses(load_le64(ip + 8), load_le64(ip + 16), load_le64(ip + 24), load_le64(ip + 32));
  }
};
template <typename Keys = PortableKeys>
bool parse_common(const uint8_t* frame, uint16_t length, ParsedFrame& out);

namespace parse_detail {

// The header of TCP or UDP at `l4`, of which `room` bytes belong to the packet: false if it can't be.
// REQUIRES: 20 readable bytes.
inline bool parse_common_l4(const uint8_t* l4, uint8_t protocol, int32_t room, ParsedFrame& out) {
  out.key.set_rest(load_le32(l4) | uint64_t{protocol} << 32);
  if (protocol == kProtocolTcp) {
    out.tcp_flags = l4[13];
    const int32_t bytes = (l4[12] >> 2) & 0x3c;
    return bytes >= int32_t{sizeof(TcpHeader)} && bytes <= room;
  }
  out.tcp_flags = 0;
  const int32_t bytes = __builtin_bswap16(load_le16(l4 + 4));
  return protocol == kProtocolUdp && bytes >= int32_t{sizeof(UdpHeader)} && bytes <= room;
}

// RFC 1071 over the 20 bytes of a header: all ones, with the carries added back in. A rotated copy added
// folds a word in half, carry included, into its upper half.
inline bool checksum_holds(uint64_t first, uint64_t second, uint32_t last) {
  uint64_t sum = first + second;
  sum += sum < second ? 1 : 0;
  sum += last;
  sum += sum < last ? 1 : 0;
  const auto half = static_cast<uint32_t>((sum + (sum << 32 | sum >> 32)) >> 32);
  return half + (half << 16 | half >> 16) >= 0xffff0000u;
}

template <typename Keys>
inline bool parse_common_v4(const uint8_t* frame, uint16_t length, ParsedFrame& out) {
  const uint8_t* const ip = frame + sizeof(EthernetHeader);
  const uint64_t first = load_le64(ip);       // version, IHL, TOS, total length, ID, flags, offset
  const uint64_t second = load_le64(ip + 8);  // TTL, protocol, checksum, source
  const uint32_t destination = load_le32(ip + 16);
  const int32_t total = __builtin_bswap16(static_cast<uint16_t>(first >> 16));
  const auto protocol = static_cast<uint8_t>(second >> 8);
  const uint8_t* const l4 = ip + sizeof(Ipv4Header);
  // Without options, and neither a first nor a later fragment.
  if ((first & 0xff3f0000000000ff) != 0x45 || int32_t{sizeof(EthernetHeader)} + total > length ||
      !parse_common_l4(l4, protocol, total - int32_t{sizeof(Ipv4Header)}, out) ||
      !checksum_holds(first, second, destination)) [[unlikely]] {
    return false;
  }
  Keys::set_v4(out.key, ip);
  out.set_untagged_flow(false);
  out.l3_length = static_cast<uint16_t>(total);
  return true;
}

template <typename Keys>
inline bool parse_common_v6(const uint8_t* frame, uint16_t length, ParsedFrame& out) {
  const uint8_t* const ip = frame + sizeof(EthernetHeader);
  const uint64_t first = load_le64(ip);  // version, class, label, payload length, next header, hop limit
  const int32_t payload = __builtin_bswap16(static_cast<uint16_t>(first >> 32));
  const auto protocol = static_cast<uint8_t>(first >> 48);
  const uint8_t* const l4 = ip + sizeof(Ipv6Header);
  if ((first & 0xf0) != 0x60 || int32_t{sizeof(EthernetHeader) + sizeof(Ipv6Header)} + payload > length ||
      !parse_common_l4(l4, protocol, payload, out)) [[unlikely]] {
    return false;
  }
  Keys::set_v6(out.key, ip);
  if (out.key.source.is_v4() || out.key.destination.is_v4()) [[unlikely]] {
    return false;
  }
  out.set_untagged_flow(true);
  out.l3_length = static_cast<uint16_t>(sizeof(Ipv6Header) + static_cast<uint32_t>(payload));
  return true;
}

}  // namespace parse_detail

template <typename Keys>
inline bool parse_common(const uint8_t* frame, uint16_t length, ParsedFrame& out) {
  constexpr size_t kLeastV4 = sizeof(EthernetHeader) + sizeof(Ipv4Header) + sizeof(TcpHeader);
  constexpr size_t kLeastV6 = sizeof(EthernetHeader) + sizeof(Ipv6Header) + sizeof(TcpHeader);
  if (length < kLeastV4) [[unlikely]] {
    return false;
  }
  const uint16_t type = load_le16(frame + offsetof(EthernetHeader, type));
  if (type == __builtin_bswap16(kEtherTypeIpv4)) {
    return parse_detail::parse_common_v4<Keys>(frame, length, out);
  }
  return type == __builtin_bswap16(kEtherTypeIpv6) && length >= kLeastV6 &&
         parse_detail::parse_common_v6<Keys>(frame, length, out);
}

}  // namespace maglb
