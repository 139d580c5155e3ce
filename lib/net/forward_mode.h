// How a packet is handed to a backend; a word of the configuration, the snapshot and the wire alike.
#pragma once

#include <cstdint>
#include <string_view>

namespace maglb {

enum class ForwardMode : uint8_t {
  kIpip = 0,  // RFC 2003 encapsulation
  kL2 = 1,    // the packet as it is, in a frame to the backend's MAC address
};

inline std::string_view to_string(ForwardMode mode) {
  return mode == ForwardMode::kIpip ? "ipip" : "l2";
}

}  // namespace maglb
