#include "lib/lb/ipip.h"

#include "lib/net/checksum.h"

namespace maglb {

Ipv4Header ipip_header(const Ipv4Header& inner, Be32 source, Be32 destination, uint16_t id) {
  Ipv4Header outer;
  outer.tos = inner.tos;
  outer.total_length = Be16(static_cast<uint16_t>(inner.total_length.host() + kIpipOverhead));
  outer.id = inner.dont_fragment() ? Be16(0) : Be16(id);
  outer.fragment = inner.dont_fragment() ? Be16(kIpv4DontFragment) : Be16(0);
  outer.ttl = 64;
  outer.protocol = kProtocolIpip;
  outer.source = source;
  outer.destination = destination;
  outer.checksum = internet_checksum({reinterpret_cast<const uint8_t*>(&outer), sizeof outer});
  return outer;
}

}  // namespace maglb
