// /metrics: Prometheus text, format 0.0.4. Names begin with maglb_, units are base units, labels are
// names of the configuration, worker numbers, port names and drop reasons, so their number is bounded.
#pragma once

#include <string>

#include "controlplane/api/event_counts.h"
#include "controlplane/api/objects.h"

namespace maglb {

std::string metrics_text(const Sources& from, const EventCounts& events);

}  // namespace maglb
