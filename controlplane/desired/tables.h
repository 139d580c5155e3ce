// What people want to know about the tables: who has how many slots, and which pools are stale.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "lib/snapshot/build/compile.h"

namespace maglb {

struct PoolTable {
  std::shared_ptr<const PoolSpec> spec;
  bool stale = false;                     // every backend fails: the last table stays
  std::map<std::string, uint32_t> slots;  // by backend
};

using PoolTables = std::map<std::string, PoolTable>;

// Counts the slots of the pools that are not the same objects as in `before`.
PoolTables count_slots(const Compiled& compiled, PoolTables before);

}  // namespace maglb
