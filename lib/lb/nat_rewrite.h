// What every translation does: addresses, ports and TTL of one packet, with the checksums over them. For
// nat_translate.cc and nat_icmp.cc.
#pragma once

#include <cstdint>

#include "lib/net/address.h"
#include "lib/net/checksum.h"
#include "lib/net/wire.h"

namespace maglb::nat_detail {

// Both ends of a packet, as it is sent or is to be.
struct Ends {
  const IpAddress& source;
  const IpAddress& destination;
  Be16 source_port;
  Be16 destination_port;
};

inline ChecksumChange address_change(const Ends& before, const Ends& after) {
  ChecksumChange change;
  change.replace(before.source, after.source);
  change.replace(before.destination, after.destination);
  return change;
}

// A field of an IPv4 header, with what it does to the header's checksum.
inline void replace(Be16& field, uint16_t value, ChecksumChange& change) {
  change.replace(field, Be16(value));
  field = Be16(value);
}

// Addresses, the IP packet's length, and TTL or hop limit less `hops`. `addresses`: address_change().
inline void rewrite_ip(uint8_t* ip, bool is_v6, const Ends& after, uint16_t length, uint8_t hops,
                       ChecksumChange addresses) {
  if (is_v6) {
    auto& header = header_at<Ipv6Header>(ip);
    header.source = after.source;
    header.destination = after.destination;
    header.payload_length = Be16(static_cast<uint16_t>(length - sizeof(Ipv6Header)));
    header.hop_limit = static_cast<uint8_t>(header.hop_limit - hops);
    return;
  }
  auto& header = header_at<Ipv4Header>(ip);
  header.source = after.source.to_v4();
  header.destination = after.destination.to_v4();
  replace(header.total_length, length, addresses);
  const Be16 before(static_cast<uint16_t>(header.ttl << 8 | header.protocol));
  header.ttl = static_cast<uint8_t>(header.ttl - hops);
  addresses.replace(before, Be16(static_cast<uint16_t>(header.ttl << 8 | header.protocol)));
  header.checksum = addresses.applied_to(header.checksum);
}

inline uint8_t ttl_of(const uint8_t* ip, bool is_v6) {
  return is_v6 ? header_at<Ipv6Header>(ip).hop_limit : header_at<Ipv4Header>(ip).ttl;
}

}  // namespace maglb::nat_detail
