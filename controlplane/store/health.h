// Known health, in table health(pool, backend, healthy, since_ms, reason, address), written row by row: a
// flap of one backend among a hundred thousand writes one row. An address of '' is of a schema that had none.
// As Store, for which these work.
#pragma once

#include <span>
#include <vector>

#include "controlplane/store/rows.h"
#include "controlplane/store/sqlite.h"
#include "controlplane/store/store.h"
#include "lib/base/error.h"

namespace maglb {

// By pool, then backend.
Result<std::vector<StoredHealth>> load_health(sqlite::Database& database);

// All or nothing. `removals`: (pool, backend).
Result<void> write_health(sqlite::Database& database, std::span<const StoredHealth> upserts,
                          RowKeys removals);

}  // namespace maglb
