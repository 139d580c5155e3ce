#include "controlplane/store/events.h"

#include "controlplane/store/rows.h"

namespace maglb {
namespace {

Result<void> write_event(sqlite::Statement& insert, const Event& event) {
  insert.bind(1, static_cast<int64_t>(event.number)).bind(2, to_ms(event.time));
  insert.bind(3, to_string(event.kind)).bind(4, event.pool).bind(5, event.backend);
  return insert.bind(6, event.text).run();
}

}  // namespace

Result<std::vector<Event>> load_events(sqlite::Database& database) {
  auto select =
      database.prepare("SELECT number, time_ms, kind, pool, backend, text FROM event ORDER BY number");
  if (!select) {
    return tl::unexpected<Error>(std::move(select).error());
  }
  std::vector<Event> events;
  while (true) {
    auto row = select->step();
    if (!row) {
      return tl::unexpected<Error>(std::move(row).error());
    }
    if (!*row) {
      return events;
    }
    if (const auto kind = event_kind(select->text(2))) {
      events.push_back({static_cast<uint64_t>(select->number(0)), from_ms(select->number(1)), *kind,
                        select->text(3), select->text(4), select->text(5)});
    }
  }
}

Result<void> write_events(sqlite::Database& database, std::span<const Event> events, size_t bound) {
  auto insert = database.prepare("INSERT OR REPLACE INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
  if (!insert) {
    return tl::unexpected<Error>(std::move(insert).error());
  }
  for (const Event& event : events) {
    if (auto done = write_event(*insert, event); !done) {
      return done;
    }
  }
  auto prune = database.prepare(
      "DELETE FROM event WHERE number <= (SELECT number FROM event ORDER BY number DESC LIMIT 1 OFFSET ?1)");
  if (!prune) {
    return tl::unexpected<Error>(std::move(prune).error());
  }
  return prune->bind(1, static_cast<int64_t>(bound)).run();
}

}  // namespace maglb
