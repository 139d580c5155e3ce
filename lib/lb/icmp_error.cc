#include "lib/lb/icmp_error.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/net/checksum.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

constexpr size_t kHeaders = sizeof(Ipv4Header) + sizeof(IcmpUnreachable);
constexpr size_t kLargestQuote = 576 - kHeaders;

}  // namespace

void become_fragmentation_needed(Packet& packet, const ParsedFrame& parsed, uint16_t next_hop_mtu) {
  uint8_t* const ip = packet.data + parsed.l3_offset;
  const size_t room = size_t{packet.length} + packet.tailroom - parsed.l3_offset - kHeaders;
  const size_t quoted = std::min<size_t>({parsed.l3_length, kLargestQuote, room});
  std::memmove(ip + kHeaders, ip, quoted);

  IcmpUnreachable icmp;
  icmp.code = kIcmpFragmentationNeeded;
  icmp.next_hop_mtu = Be16(next_hop_mtu);
  std::memcpy(ip + sizeof(Ipv4Header), &icmp, sizeof icmp);
  auto& written = header_at<IcmpUnreachable>(ip + sizeof(Ipv4Header));
  written.checksum = internet_checksum({ip + sizeof(Ipv4Header), sizeof icmp + quoted});

  Ipv4Header outer;
  outer.total_length = Be16(static_cast<uint16_t>(kHeaders + quoted));
  outer.fragment = Be16(kIpv4DontFragment);  // an ID of 0 is for what is never fragmented (RFC 6864, 4.1)
  outer.ttl = 64;
  outer.protocol = kProtocolIcmp;
  outer.source = parsed.key.destination.to_v4();
  outer.destination = parsed.key.source.to_v4();
  outer.checksum = internet_checksum({reinterpret_cast<const uint8_t*>(&outer), sizeof outer});
  std::memcpy(ip, &outer, sizeof outer);

  auto& ethernet = header_at<EthernetHeader>(packet.data);
  std::swap(ethernet.destination, ethernet.source);
  packet.length = static_cast<uint16_t>(parsed.l3_offset + kHeaders + quoted);
}

}  // namespace maglb
