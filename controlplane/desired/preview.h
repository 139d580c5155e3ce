// What share of whose slots a document would move, before it is applied. Pure.
#pragma once

#include <vector>

#include "lib/config/service/model.h"
#include "lib/snapshot/build/churn.h"

namespace maglb {

// Of the pools that are not the same in both, sorted by name. Both are compiled with the same health, which
// nothing here waits for; pools that stay as they are cost nothing.
std::vector<PoolChurn> preview(const ServiceConfig& from, const ServiceConfig& to,
                               const HealthOf& is_healthy);

}  // namespace maglb
