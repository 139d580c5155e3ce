// ICMP messages that the balancer originates, of both families: a packet that is too big, and the answer
// to a ping. Bytes in, bytes out, from the IP header on.
//
// Here is how a message is written. Whether one may be sent, which RFC 1122 3.2.2 and RFC 4443 2.4(e) and
// (f) limit (no error about an error or a multicast, never at more than some rate), is for the caller,
// except where a function says that it refuses.
//
// Functions of their arguments alone: any thread. Hostile input is the normal case.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/net/wire.h"

namespace maglb {

// Sizes of the whole message, its IP header included: what every path carries.
inline constexpr size_t kLongestErrorV4 = 576;   // RFC 1812, 4.3.2.3
inline constexpr size_t kLongestErrorV6 = 1280;  // RFC 4443, 2.4(c)
// IP and ICMP headers in front of the quoted packet.
inline constexpr size_t kErrorHeadersV4 = sizeof(Ipv4Header) + sizeof(IcmpUnreachable);
inline constexpr size_t kErrorHeadersV6 = sizeof(Ipv6Header) + sizeof(IcmpUnreachable);

// Of the message, not of the packet it is about. REQUIRES: of one family.
struct TooBig {
  IpAddress source;
  IpAddress destination;
  uint32_t mtu = 0;  // of the next hop; over 65535 is 65535 for IPv4
};

// Writes to the front of `out` "destination unreachable, fragmentation needed and DF set" (RFC 792,
// RFC 1191) or "packet too big" (RFC 4443, 3.2), by the family of the source, quoting as much of the IP
// packet `packet` as the message's limit and `out` leave room for. `packet` may lie within `out`. The
// message's length; 0, and nothing written, if `out` has no room for the headers.
size_t write_too_big(const TooBig& message, std::span<const uint8_t> packet, std::span<uint8_t> out);

// Turns the IP packet, an echo request, in place into its reply (RFC 792, RFC 4443 4.2): addresses swapped,
// TTL or hop limit 64, the rest as it came, the ICMP checksum changed in step, so that a wrong one stays
// wrong. Behind the packet's end, as its header says it, nothing is read or written.
//
// False, and nothing changed, for whatever else: other messages; a length that can't be; a wrong IPv4 header
// checksum; fragments; IPv4 options, which would have to be turned round (RFC 1122, 3.2.2.6), and IPv6
// extension headers; and addresses that no host sends from or that are many hosts' (both ways, for the
// reply bears the destination as its source): unspecified, loopback, multicast, IPv4's 0/8 and 240/4 with
// the limited broadcast, mapped addresses in IPv6, or both the same. A subnet's broadcast address looks
// like any other here.
bool echo_reply_in_place(std::span<uint8_t> packet, bool is_v6);

}  // namespace maglb
