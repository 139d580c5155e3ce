// What people want to know about the tables: who has how many slots, and which pools are stale.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/desired/panic.h"
#include "lib/snapshot/build/compile.h"

namespace maglb {

struct PoolTable {
  std::shared_ptr<const PoolSpec> spec;
  bool stale = false;                     // every backend fails: the last table stays
  std::map<std::string, uint32_t> slots;  // by backend; those of its fallback too
  PoolCount count;                        // of its own backends, as the probes have it
  uint32_t needed = 0;                    // of them healthy, by min_healthy
  bool panic = false;                     // fewer are: all that are wanted are treated as healthy
  bool on_fallback = false;               // its fallback serves
};

using PoolTables = std::map<std::string, PoolTable>;

std::map<std::string, uint32_t> count_slots(const PoolSpec& spec);

// The whole state, of pools shared with it.
Compiled compiled_of(const PoolTables& tables, std::shared_ptr<const std::vector<ServiceSpec>> services);

}  // namespace maglb
