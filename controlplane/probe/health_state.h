// Rise and fall: from the outcomes of probes to healthy or not. Pure; time is passed in.
//
// Invariants:
//   1. A healthy target becomes unhealthy with the fall-th failure in a row, an unhealthy one healthy
//      with the rise-th success in a row, and nothing else changes a known health.
//   2. An unknown target takes the health of its first outcome: it serves nobody yet, so waiting for
//      `rise` outcomes would only make a start slower.
//   3. An attempt that failed for a local reason (no descriptor, no free port) is no outcome and must
//      not be passed to record().
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace maglb {

using WallTime = std::chrono::system_clock::time_point;

enum class Health : uint8_t { kUnknown, kHealthy, kUnhealthy };

std::string_view to_string(Health health);  // "unknown", "healthy", "unhealthy"

class HealthState {
 public:
  // REQUIRES: rise > 0, fall > 0.
  HealthState(uint32_t rise, uint32_t fall) : rise_(rise), fall_(fall) {}
  // Starts with a health known from before, as after a restart.
  HealthState(uint32_t rise, uint32_t fall, Health known, WallTime since)
      : rise_(rise), fall_(fall), health_(known), since_(since) {}

  // One outcome of a probe. True when the health changed.
  bool record(bool success, WallTime now);

  Health health() const { return health_; }
  // When the present health began. The epoch while unknown.
  WallTime since() const { return since_; }
  // How many of the last outcomes were alike; 0 before the first.
  uint64_t consecutive() const { return consecutive_; }

 private:
  uint32_t rise_;
  uint32_t fall_;
  Health health_ = Health::kUnknown;
  bool last_success_ = false;
  uint64_t consecutive_ = 0;
  WallTime since_{};
};

}  // namespace maglb
