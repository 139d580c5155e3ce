#include "controlplane/store/drains.h"

namespace maglb {
namespace {

using std::chrono::milliseconds;

Result<void> put(sqlite::Database& database, std::span<const StoredDrain> rows) {
  auto statement = database.prepare("INSERT OR REPLACE INTO drain VALUES (?1, ?2, ?3, ?4)");
  if (!statement) {
    return tl::unexpected<Error>(std::move(statement).error());
  }
  for (const StoredDrain& row : rows) {
    const auto began = std::chrono::duration_cast<milliseconds>(row.began.time_since_epoch());
    statement->bind(1, row.pool).bind(2, row.backend).bind(3, int64_t{began.count()});
    if (auto done = statement->bind(4, int64_t{row.passed}).run(); !done) {
      return done;
    }
  }
  return {};
}

Result<void> erase(sqlite::Database& database, std::span<const std::pair<std::string, std::string>> keys) {
  auto statement = database.prepare("DELETE FROM drain WHERE pool = ?1 AND backend = ?2");
  if (!statement) {
    return tl::unexpected<Error>(std::move(statement).error());
  }
  for (const auto& [pool, backend] : keys) {
    if (auto done = statement->bind(1, pool).bind(2, backend).run(); !done) {
      return done;
    }
  }
  return {};
}

}  // namespace

Result<std::vector<StoredDrain>> load_drains(sqlite::Database& database) {
  auto statement =
      database.prepare("SELECT pool, backend, began_ms, passed FROM drain ORDER BY pool, backend");
  if (!statement) {
    return tl::unexpected<Error>(std::move(statement).error());
  }
  std::vector<StoredDrain> rows;
  while (true) {
    const auto row = statement->step();
    if (!row) {
      return tl::unexpected<Error>(row.error());
    }
    if (!*row) {
      return rows;
    }
    rows.push_back({statement->text(0), statement->text(1),
                    std::chrono::system_clock::time_point(milliseconds(statement->number(2))),
                    statement->number(3) != 0});
  }
}

Result<void> write_drains(sqlite::Database& database, std::span<const StoredDrain> upserts,
                          std::span<const std::pair<std::string, std::string>> removals) {
  auto transaction = sqlite::Transaction::begin(database);
  if (!transaction) {
    return tl::unexpected<Error>(std::move(transaction).error());
  }
  return erase(database, removals).and_then([&] { return put(database, upserts); }).and_then([&] {
    return transaction->commit();
  });
}

}  // namespace maglb
