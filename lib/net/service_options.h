// What a service may ask for beside where its packets go: one set of words for the configuration, the
// channel and the snapshot.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/net/prefix.h"
#include "lib/net/quic.h"

namespace maglb {

inline constexpr uint16_t kDefaultGuePort = 6080;
// The least MSS that a clamp may set: what IPv4 hosts take without being told (RFC 9293, 3.7.1).
inline constexpr uint16_t kMinMss = 536;
inline constexpr size_t kMaxSourcePrefixes = 50000;  // of a service's list

// A packet that may be fragmented and is too long for the tunnel.
enum class Oversize : uint8_t {
  kOuter = 0,  // the outer packet is fragmented: the backend's kernel puts it together
  kInner = 1,  // the packet itself is, before it is encapsulated: every piece goes on its own
};

constexpr std::string_view to_string(Oversize oversize) {
  return oversize == Oversize::kOuter ? "outer" : "inner";
}

struct ServiceOptions {
  uint16_t gue_port = kDefaultGuePort;  // the outer UDP destination; gue only
  bool udp_checksum = false;            // of an outer UDP header over IPv6 (RFC 6935, 5); gue only
  std::optional<uint32_t> gre_key;      // gre only
  uint16_t backend_port = 0;            // 0: the one that the client asked for; nat only
  bool proxy_protocol = false;          // version 2, before the first byte; nat of TCP only
  uint16_t mss = 0;                     // SYNs offer no more; 0: they are left as they are
  bool forward_ping = false;            // else echo requests are answered here
  Oversize oversize = Oversize::kOuter;
  // The longest prefix of both lists that holds a client decides; one that none holds is let in, unless
  // there is an allow list.
  std::vector<IpPrefix> source_allow;
  std::vector<IpPrefix> source_deny;
  std::vector<QuicLbConfig> quic;  // empty: connection ids are not looked at

  friend bool operator==(const ServiceOptions&, const ServiceOptions&) = default;
};

}  // namespace maglb
