#include "controlplane/probe/health_state.h"

#include <algorithm>

namespace maglb {

std::string_view to_string(Health health) {
  switch (health) {
    case Health::kUnknown:
      return "unknown";
    case Health::kHealthy:
      return "healthy";
    case Health::kUnhealthy:
      return "unhealthy";
  }
  return "unknown";
}

bool HealthState::record(bool success, WallTime now, Time ticks) {
  if (success != last_success_ || consecutive_ == 0) {
    consecutive_ = 0;
    row_began_ = ticks;
  }
  ++consecutive_;
  last_success_ = success;
  if (!may_change(success, ticks)) {
    return false;
  }
  become(success ? Health::kHealthy : Health::kUnhealthy, ticks);
  since_ = now;
  return true;
}

bool HealthState::may_change(bool success, Time ticks) const {
  if (health_ == Health::kUnknown) {
    return true;
  }
  if (success == (health_ == Health::kHealthy)) {
    return false;
  }
  const bool cool = !cooling_ || !success || ticks - row_began_ >= rules_.cool_down;
  return cool && consecutive_ >= (success ? rules_.rise : rules_.fall);
}

void HealthState::become(Health health, Time ticks) {
  if (health == Health::kUnhealthy) {
    cooling_ = returned_ && ticks - *returned_ < rules_.cool_down;
  } else {
    cooling_ = false;
    if (health_ == Health::kUnhealthy) {
      returned_ = ticks;
    }
  }
  health_ = health;
}

bool HealthState::is_settled() const {
  return health_ != Health::kUnknown && consecutive_ >= std::max(rules_.rise, rules_.fall);
}

}  // namespace maglb
