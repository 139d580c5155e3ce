#include "controlplane/probe/health_state.h"

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

bool HealthState::record(bool success, WallTime now) {
  consecutive_ = success == last_success_ ? consecutive_ + 1 : 1;
  last_success_ = success;
  const Health seen = success ? Health::kHealthy : Health::kUnhealthy;
  const uint64_t needed = health_ == Health::kUnknown ? 1 : success ? rise_ : fall_;
  if (seen == health_ || consecutive_ < needed) {
    return false;
  }
  health_ = seen;
  since_ = now;
  return true;
}

}  // namespace maglb
