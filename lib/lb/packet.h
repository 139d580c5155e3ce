// A frame as the path sees it: bytes with room around them, in a buffer that the path does not know.
#pragma once

#include <cstdint>

namespace maglb {

// The path moves `data` down into the headroom and changes `length`.
struct Packet {
  uint8_t* data = nullptr;
  uint16_t length = 0;    // of the whole frame
  uint16_t headroom = 0;  // writable bytes in front of data
  uint16_t tailroom = 0;  // writable bytes behind data + length
  uint8_t in_port = 0;    // index of the port it came from
  // Only the frame's first kSegmentHead bytes lie at `data`; the rest is in buffers that the path does not
  // see. (No gap in a Packet: compilers would copy it by two words that overlap, and a load of `data` behind
  // such a copy has to wait until both are in the cache.)
  uint8_t is_segmented = 0;
};
static_assert(sizeof(Packet) == 16);
inline constexpr uint16_t kSegmentHead = 256;

}  // namespace maglb
