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

  // What lies behind the addresses, as one word: ports, protocol, zero.
  uint64_t rest() const { return load_le64(bytes() + kRest); }
  void set_rest(uint64_t rest) { store_le(bytes() + kRest, rest); }
  // Both addresses in words as they lie in memory.
  void set_addresses(uint64_t source_high, uint64_t source_low, uint64_t destination_high,
                     uint64_t destination_low) {
    store_le(bytes(), source_high);
    store_le(bytes() + 8, source_low);
    store_le(bytes() + 16, destination_high);
    store_le(bytes() + 24, destination_low);
  }

  friend constexpr bool operator==(const FlowKey&, const FlowKey&) = default;

 private:
  static constexpr size_t kRest = 2 * sizeof(IpAddress);
  const uint8_t* bytes() const { return reinterpret_cast<const uint8_t*>(this); }
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this); }
};
static_assert(sizeof(FlowKey) == 40 && alignof(FlowKey) == 1);

}  // namespace maglb
