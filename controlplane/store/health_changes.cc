#include "controlplane/store/health_changes.h"

namespace maglb {
namespace {

Result<void> put(sqlite::Database& database, std::span<const StoredHealth> rows) {
  auto statement = database.prepare("INSERT OR REPLACE INTO health VALUES (?1, ?2, ?3, ?4, ?5)");
  if (!statement) {
    return tl::unexpected<Error>(std::move(statement).error());
  }
  for (const StoredHealth& row : rows) {
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(row.since.time_since_epoch());
    statement->bind(1, row.pool).bind(2, row.backend).bind(3, int64_t{row.healthy});
    if (auto done = statement->bind(4, int64_t{since.count()}).bind(5, row.reason).run(); !done) {
      return done;
    }
  }
  return {};
}

Result<void> erase(sqlite::Database& database, std::span<const std::pair<std::string, std::string>> keys) {
  auto statement = database.prepare("DELETE FROM health WHERE pool = ?1 AND backend = ?2");
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

Result<void> write_health_changes(sqlite::Database& database, std::span<const StoredHealth> upserts,
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
