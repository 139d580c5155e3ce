// The 5-tuple, one shape for both families.
//
// Layout: 40 bytes without gaps between the fields; the last three are zero, so a key can be hashed
// and compared as bytes.
#pragma once

#include <cstdint>
#include <cstring>

#include "lib/base/byte_order.h"
#include "lib/net/address.h"

namespace maglb {

struct FlowKey {
  IpAddress source;
  IpAddress destination;
  Be16 source_port;
  Be16 destination_port;
  Protocol protocol = Protocol::kAny;
  uint8_t zero[3] = {};

  friend constexpr bool operator==(const FlowKey&, const FlowKey&) = default;
};
static_assert(sizeof(FlowKey) == 40 && alignof(FlowKey) == 1);

}  // namespace maglb
