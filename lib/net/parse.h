// One Ethernet frame -> where its parts lie and its 5-tuple, or why not.
//
// Every length is checked before it is used (RFC 1812 5.2.2 for IPv4). Hostile input is the normal
// case here: a frame may be of any length down to zero and hold anything. parse_frame() reads only
// the frame's bytes and writes nothing but its result.
#pragma once

#include <cstdint>
#include <span>

#include "lib/net/flow_key.h"

namespace maglb {

enum class ParseStatus : uint8_t {
  kFlow,         // TCP or UDP over IPv4, not a fragment: every field of ParsedFrame is set
  kFragment,     // fragment of TCP or UDP over IPv4: addresses and protocol are set, ports are not
  kOther,        // nothing that a service can match: another EtherType, protocol or IP version
  kTruncated,    // ends before its headers do
  kBadIpHeader,  // version, header length or total length can't be
  kBadIpChecksum,
  kBadL4Header,  // TCP data offset or UDP length can't be
};

struct ParsedFrame {
  FlowKey key;
  uint16_t l3_offset = 0;  // of the IP header in the frame
  uint16_t l3_length = 0;  // the IP packet's own length: Ethernet padding is not part of it
  uint8_t tcp_flags = 0;   // 0 for UDP
};

ParseStatus parse_frame(std::span<const uint8_t> frame, ParsedFrame& out);

}  // namespace maglb
