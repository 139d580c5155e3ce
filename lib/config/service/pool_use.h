// What the services ask of the pools that they use, and what a pool asks of its fallback: everything that
// takes a look at more than one part of the configuration, but for the ports of probes (validate.cc).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/config/service/fault.h"
#include "lib/config/service/marks.h"
#include "lib/config/service/model.h"

namespace maglb {

// With the whole context in `key`: "pool web: fallback". Names that are not found are passed over, but for
// that of a fallback. REQUIRES: as many marks as pools and services.
std::vector<Fault> pool_use_faults(const ServiceConfig& config, const ServiceConfigMarks& marks);

// "there is no pool 'wbe': did you mean 'web'?"
std::string unknown_pool(const ServiceConfig& config, std::string_view name);

}  // namespace maglb
