// The last known members of the pools that have a source, in table member(pool, name, address, weight,
// max_connections): what a restart begins with, until the sources answer.
//
// Threads: as Store, for which these work.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "controlplane/store/sqlite.h"
#include "lib/base/error.h"

namespace maglb {

struct StoredMember {
  std::string pool;
  std::string name;
  std::string address;
  uint32_t weight = 0;
  uint32_t max_connections = 0;
  friend bool operator==(const StoredMember&, const StoredMember&) = default;
};

// By pool, then name.
Result<std::vector<StoredMember>> load_members(sqlite::Database& database);

// Makes `members` those of the pool; none: forgets it. A transaction of its own.
Result<void> write_members(sqlite::Database& database, const std::string& pool,
                           std::span<const StoredMember> members);

}  // namespace maglb
