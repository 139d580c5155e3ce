// Rise, fall and cool-down: from the outcomes of probes to healthy or not. Pure; time is passed in.
//
// Invariants:
//   1. A healthy target becomes unhealthy with the fall-th failure in a row. An unhealthy one becomes
//      healthy with the rise-th success in a row, or a later one while it cools down. Nothing else changes
//      a known health.
//   2. An unknown target takes the health of its first outcome: it serves nobody yet, so waiting for
//      `rise` outcomes would only make a start slower.
//   3. An attempt that failed for a local reason (no descriptor, no free port) is no outcome and must
//      not be passed to record().
//   4. Cool-down. A target that returned (from unhealthy to healthy) and becomes unhealthy less than
//      cool_down after that is flapping. It then needs, beside `rise`, a row of successes that has
//      lasted cool_down: from the row's first to the one that makes it healthy. One failure starts the row
//      again. A target that was never seen to return does not flap, and one that has stayed healthy for
//      cool_down is like any other again. Nothing doubles.
//   5. Health is settled when it is known and the last max(rise, fall) outcomes were all alike; until then,
//      and again when one is different, it is changing and worth looking at more often.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"

namespace maglb {

using WallTime = std::chrono::system_clock::time_point;

enum class Health : uint8_t { kUnknown, kHealthy, kUnhealthy };

std::string_view to_string(Health health);  // "unknown", "healthy", "unhealthy"

struct HealthRules {
  uint32_t rise = 1;     // > 0
  uint32_t fall = 1;     // > 0
  Duration cool_down{};  // 0: none
};

class HealthState {
 public:
  explicit HealthState(const HealthRules& rules) : rules_(rules) {}
  // Starts with a health known from before, as after a restart.
  HealthState(const HealthRules& rules, Health known, WallTime since)
      : rules_(rules), health_(known), since_(since) {}

  // One outcome of a probe. True when the health changed. `now` is for people and may jump; `ticks` never
  // goes back, and cool-down is counted by it.
  bool record(bool success, WallTime now, Time ticks);

  Health health() const { return health_; }
  // When the present health began. The epoch while unknown.
  WallTime since() const { return since_; }
  // How many of the last outcomes were alike; 0 before the first.
  uint64_t consecutive() const { return consecutive_; }
  bool is_settled() const;
  // Unhealthy, and kept so by invariant 4.
  bool is_cooling_down() const { return cooling_; }

 private:
  bool may_change(bool success, Time ticks) const;
  void become(Health health, Time ticks);

  HealthRules rules_;
  Health health_ = Health::kUnknown;
  bool last_success_ = false;
  bool cooling_ = false;
  uint64_t consecutive_ = 0;
  WallTime since_{};
  Time row_began_{};              // the first of the last outcomes that were alike
  std::optional<Time> returned_;  // when it last went from unhealthy to healthy
};

}  // namespace maglb
