// What a state database looks like, and how one of an older version becomes one of this.
#pragma once

#include <cstdint>

#include "controlplane/store/sqlite.h"
#include "lib/base/error.h"

namespace maglb {

inline constexpr int64_t kApplicationId = 0x6d676c62;  // "mglb", in the file's header
inline constexpr int64_t kSchemaVersion = 5;

// Makes the database one of kSchemaVersion, each step in a transaction of its own: all of it or
// nothing. Refuses, before the first write, a file that is damaged, another program's, or of a later
// version. An empty file is a new one, so that a process killed while it made the file leaves nothing
// that needs a hand.
Result<void> prepare_schema(sqlite::Database& database);

}  // namespace maglb
