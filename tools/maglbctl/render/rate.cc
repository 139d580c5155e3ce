#include "tools/maglbctl/render/rate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {

std::optional<double> rate(const Json& before, const Json& now, std::string_view counter, double seconds) {
  const auto was = whole_number(before, counter);
  const auto is = whole_number(now, counter);
  if (!was || !is || *is < *was || !(seconds > 0)) {
    return std::nullopt;
  }
  return static_cast<double>(*is - *was) / seconds;
}

std::string human_rate(const std::optional<double>& per_second) {
  if (!per_second) {
    return "-";
  }
  // Below ten a tenth says whether it is anything at all.
  if (*per_second > 0 && *per_second < 9.95) {
    return fmt::format("{:.1f}", std::max(*per_second, 0.1));
  }
  constexpr double kMost = 1e18;
  return human_count(static_cast<uint64_t>(std::llround(std::min(*per_second, kMost))));
}

std::optional<double> busy_between(const Json& worker_before, double uptime_before, const Json& worker_now,
                                   double uptime_now) {
  const auto was = number(worker_before, "busy");
  const auto is = number(worker_now, "busy");
  if (!was || !is || !(uptime_now > uptime_before)) {
    return is;
  }
  const double busy = *is * uptime_now - *was * uptime_before;
  return std::clamp(busy / (uptime_now - uptime_before), 0.0, 1.0);
}

}  // namespace maglb::ctl
