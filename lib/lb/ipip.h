// The outer header of IP in IP (RFC 2003).
#pragma once

#include <cstdint>

#include "lib/net/wire.h"

namespace maglb {

inline constexpr uint16_t kIpipOverhead = sizeof(Ipv4Header);

// DF and TOS are the inner header's. A packet that may not be fragmented needs no identification
// (RFC 6864, 4.1): ID 0 with DF set, else `id`. TTL 64.
Ipv4Header ipip_header(const Ipv4Header& inner, Be32 source, Be32 destination, uint16_t id);

}  // namespace maglb
