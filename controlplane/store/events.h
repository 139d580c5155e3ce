// The newest events, in table event(number, time_ms, kind, pool, backend, text), so that a restart does not
// forget what happened. The numbers that were promised are in counter `event`: none is given twice, though
// some are skipped where a process was killed.
//
// Threads: as Store, for which these work.
#pragma once

#include <span>
#include <vector>

#include "controlplane/events/event_log.h"
#include "controlplane/store/sqlite.h"
#include "lib/base/error.h"

namespace maglb {

inline constexpr size_t kMaxStoredEvents = 10000;

// The oldest first. An event of a kind that this version does not know is left out.
Result<std::vector<Event>> load_events(sqlite::Database& database);

// Adds `events` and keeps the newest `bound` of all. Within the caller's transaction.
Result<void> write_events(sqlite::Database& database, std::span<const Event> events,
                          size_t bound = kMaxStoredEvents);

}  // namespace maglb
