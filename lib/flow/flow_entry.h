// What is remembered of a flow, and the words for it.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/base/coarse_clock.h"
#include "lib/net/backend_id.h"

namespace maglb {

// kOpening: one packet seen, or only SYNs. kClosing: a FIN or RST was seen.
enum class FlowState : uint8_t { kOpening = 0, kEstablished = 1, kClosing = 2, kUdp = 3 };
inline constexpr uint32_t kFlowStates = 4;

struct FlowEntry {
  BackendId backend;
  FlowState state = FlowState::kOpening;
  Deadline expires;
  friend constexpr bool operator==(const FlowEntry&, const FlowEntry&) = default;
};

inline std::string_view to_string(FlowState state) {
  switch (state) {
    case FlowState::kOpening:
      return "opening";
    case FlowState::kEstablished:
      return "established";
    case FlowState::kClosing:
      return "closing";
    case FlowState::kUdp:
      return "udp";
  }
  return "?";
}

}  // namespace maglb
