// Since when backends are in drain, in table drain(pool, backend, began_ms, passed): a deadline goes on over
// a restart. As Store, for which these work.
#pragma once

#include <span>
#include <vector>

#include "controlplane/store/rows.h"
#include "controlplane/store/sqlite.h"
#include "controlplane/store/store.h"
#include "lib/base/error.h"

namespace maglb {

// By pool, then backend.
Result<std::vector<StoredDrain>> load_drains(sqlite::Database& database);

// All or nothing. `removals`: (pool, backend).
Result<void> write_drains(sqlite::Database& database, std::span<const StoredDrain> upserts, RowKeys removals);

}  // namespace maglb
