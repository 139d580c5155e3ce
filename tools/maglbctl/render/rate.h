// Rates per second from two readings of a counter. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tools/maglbctl/render/field.h"

namespace maglb::ctl {

// Nothing when a reading is missing, the counter ran backwards or no time passed.
std::optional<double> rate(const Json& before, const Json& now, std::string_view counter, double seconds);

// "0", "0.4", "12", "1.2 k"; "-" for nothing.
std::string human_rate(const std::optional<double>& per_second);

// The worker's busy share between two samples. The API gives the share since the dataplane started,
// which times its uptime is busy time; since `now` alone when the samples are of one time, or it started
// in between.
std::optional<double> busy_between(const Json& worker_before, double uptime_before, const Json& worker_now,
                                   double uptime_now);

}  // namespace maglb::ctl
