// Known health, written row by row: a flap of one backend among a hundred thousand writes one row. As Store,
// for which it works.
#pragma once

#include <span>
#include <string>
#include <utility>

#include "controlplane/store/sqlite.h"
#include "controlplane/store/store.h"
#include "lib/base/error.h"

namespace maglb {

// All or nothing. `removals`: (pool, backend).
Result<void> write_health_changes(sqlite::Database& database, std::span<const StoredHealth> upserts,
                                  std::span<const std::pair<std::string, std::string>> removals);

}  // namespace maglb
