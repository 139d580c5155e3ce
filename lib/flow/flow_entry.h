// What is remembered of a flow, and the words for it.
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/net/backend_id.h"

namespace maglb {

// kOpening: one packet seen, or only SYNs. kClosing: a FIN or RST was seen.
enum class FlowState : uint8_t { kOpening = 0, kEstablished = 1, kClosing = 2, kUdp = 3 };
inline constexpr uint32_t kFlowStates = 4;

// A coarse clock for expiry: units of 2^27 ns (134 ms), 24 bits, wrapping after 26 days. Two ticks
// less than half of that apart can be told in order.
class Tick {
 public:
  Tick() = default;
  explicit Tick(uint32_t value) : value_(value & kMask) {}
  static Tick at(Time time) {
    return Tick(static_cast<uint32_t>(static_cast<uint64_t>(time.count()) >> kShift));
  }
  // The first tick that is surely `timeout` or more after `now`.
  static Tick after(Time now, Duration timeout) { return Tick(at(now + timeout).value_ + 1); }

  uint32_t value() const { return value_; }
  bool reached(Tick now) const { return ((now.value_ - value_) & kMask) < (kMask + 1) / 2; }
  // Time from `now` until this tick, 0 if reached.
  Duration left(Tick now) const {
    return reached(now) ? Duration(0) : Duration(int64_t{(value_ - now.value_) & kMask} << kShift);
  }
  friend constexpr bool operator==(const Tick&, const Tick&) = default;

 private:
  static constexpr int kShift = 27;
  static constexpr uint32_t kMask = 0xffffff;
  uint32_t value_ = 0;
};

// Longest timeout a flow can have: well under half of the tick's range.
inline constexpr Duration kMaxFlowTimeout = std::chrono::hours(24);

struct FlowEntry {
  BackendId backend;
  FlowState state = FlowState::kOpening;
  Tick expires;
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
