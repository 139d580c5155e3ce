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

// Of pools that want signals (backend_signals.h) the deadline of an opening entry says by its mark whether a
// SYN began the flow. A datagram, or a packet in the middle of a connection, is all there is of many a flow.
// Entries that were made before a pool wanted signals are marked by chance.
struct FlowEntry {
  BackendId backend;
  FlowState state = FlowState::kOpening;
  Deadline expires;
  // An answer to its SYN is to show in what the client sends next.
  constexpr bool is_awaited() const { return state == FlowState::kOpening && expires.is_marked(); }
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
