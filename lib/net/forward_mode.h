// How a packet is handed to a backend; a word of the configuration, the snapshot and the wire alike.
#pragma once

#include <cstdint>
#include <string_view>

namespace maglb {

enum class ForwardMode : uint8_t {
  kIpip = 0,  // IP in IP of any two families (RFC 2003, RFC 2473, RFC 4213)
  kL2 = 1,    // the packet as it is, in a frame to the backend's MAC address
  kGue = 2,   // generic UDP encapsulation, variant 0: the source port tells flows apart
  kGre = 3,   // RFC 2784, with a key by RFC 2890 if there is one
  kNat = 4,   // addresses and ports rewritten both ways: replies come back through us
};
inline constexpr ForwardMode kLastForwardMode = ForwardMode::kNat;

constexpr std::string_view to_string(ForwardMode mode) {
  switch (mode) {
    case ForwardMode::kIpip:
      return "ipip";
    case ForwardMode::kL2:
      return "l2";
    case ForwardMode::kGue:
      return "gue";
    case ForwardMode::kGre:
      return "gre";
    case ForwardMode::kNat:
      return "nat";
  }
  return "?";
}

// Whether the packet travels inside another one, as it came.
constexpr bool is_tunnel(ForwardMode mode) {
  return mode == ForwardMode::kIpip || mode == ForwardMode::kGue || mode == ForwardMode::kGre;
}
// Whether the backend has to be a neighbour.
constexpr bool needs_neighbour(ForwardMode mode) {
  return mode == ForwardMode::kL2;
}

}  // namespace maglb
