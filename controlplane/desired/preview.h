// What a document would change before it is applied. Pure.
#pragma once

#include <string>
#include <vector>

#include "lib/config/service/model.h"
#include "lib/snapshot/build/compile.h"

namespace maglb {

struct PoolPreview {
  std::string pool;
  std::string change;  // "added", "removed", "changed"; pools that stay as they are are left out
  double moved = 0;    // share of the slots whose backend is another: new flows there, and untracked packets
};

// By name. Both are compiled with the same health, which nothing here waits for.
std::vector<PoolPreview> preview_pools(const ServiceConfig& from, const ServiceConfig& to,
                                       const HealthOf& is_healthy);

}  // namespace maglb
