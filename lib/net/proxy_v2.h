// The PROXY protocol's binary header, version 2, for a TCP connection (haproxy's proxy-protocol.txt, 2.2):
// what a backend reads at the start of a stream to learn who connected to whom.
//
//    0  signature, 12 bytes
//   12  21: version 2, command PROXY
//   13  11: TCP over IPv4; 21: TCP over IPv6
//   14  length of what follows: 12 or 36
//   16  source address, destination address, source port, destination port
//
// No TLVs, so no checksum of its own. Addresses of two families, which no connection has, are written as
// IPv6 with the IPv4 one mapped. A function of its arguments alone: any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "lib/net/wire.h"

namespace maglb {

template <typename Address>
struct ProxyV2Header {
  std::array<uint8_t, 12> signature = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 'Q', 'U', 'I', 'T', 0x0a};
  uint8_t version_command = 0x21;
  uint8_t family_protocol = sizeof(Address) == sizeof(Be32) ? 0x11 : 0x21;
  Be16 length{2 * sizeof(Address) + 2 * sizeof(Be16)};
  Address source;
  Address destination;
  Be16 source_port;
  Be16 destination_port;
};
using ProxyV2HeaderV4 = ProxyV2Header<Be32>;
using ProxyV2HeaderV6 = ProxyV2Header<IpAddress>;
static_assert(sizeof(ProxyV2HeaderV4) == 28 && alignof(ProxyV2HeaderV4) == 1);
static_assert(sizeof(ProxyV2HeaderV6) == 52 && alignof(ProxyV2HeaderV6) == 1);

inline constexpr size_t kProxyV2Longest = sizeof(ProxyV2HeaderV6);

// As they stood in the packet that opened the connection: the client, and the address it connected to.
struct ProxyV2Endpoints {
  IpAddress source;
  IpAddress destination;
  Be16 source_port;
  Be16 destination_port;

  bool is_v4() const { return source.is_v4() && destination.is_v4(); }
  // Of the header, in bytes.
  size_t length() const { return is_v4() ? sizeof(ProxyV2HeaderV4) : sizeof(ProxyV2HeaderV6); }
};

// Writes the header to the front of `out`. Its length, 28 or 52; 0, and nothing written, if `out` is
// shorter than that.
inline size_t write_proxy_v2(const ProxyV2Endpoints& ends, std::span<uint8_t> out) {
  const auto write = [&](auto header, const auto& source, const auto& destination) -> size_t {
    if (out.size() < sizeof header) {
      return 0;
    }
    header.source = source;
    header.destination = destination;
    header.source_port = ends.source_port;
    header.destination_port = ends.destination_port;
    std::memcpy(out.data(), &header, sizeof header);
    return sizeof header;
  };
  return ends.is_v4() ? write(ProxyV2HeaderV4(), ends.source.to_v4(), ends.destination.to_v4())
                      : write(ProxyV2HeaderV6(), ends.source, ends.destination);
}

}  // namespace maglb
