#include "controlplane/store/drains.h"

namespace maglb {

Result<std::vector<StoredDrain>> load_drains(sqlite::Database& database) {
  return read_rows<StoredDrain>(
      database, "SELECT pool, backend, began_ms, passed FROM drain ORDER BY pool, backend",
      [](const sqlite::Statement& row) {
        return StoredDrain{row.text(0), row.text(1), from_ms(row.number(2)), row.number(3) != 0};
      });
}

Result<void> write_drains(sqlite::Database& database, std::span<const StoredDrain> upserts,
                          RowKeys removals) {
  return change_rows(database, "DELETE FROM drain WHERE pool = ?1 AND backend = ?2", removals,
                     "INSERT OR REPLACE INTO drain VALUES (?1, ?2, ?3, ?4)", upserts,
                     [](sqlite::Statement& put, const StoredDrain& row) {
                       put.bind(1, row.pool).bind(2, row.backend).bind(3, to_ms(row.began));
                       return put.bind(4, int64_t{row.passed}).run();
                     });
}

}  // namespace maglb
