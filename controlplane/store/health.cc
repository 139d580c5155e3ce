#include "controlplane/store/health.h"

namespace maglb {
namespace {

std::optional<IpAddress> read_address(const std::string& text) {
  const auto address = IpAddress::parse(text);
  return address ? std::optional(*address) : std::nullopt;
}

}  // namespace

Result<std::vector<StoredHealth>> load_health(sqlite::Database& database) {
  return read_rows<StoredHealth>(
      database, "SELECT pool, backend, healthy, since_ms, reason, address FROM health ORDER BY pool, backend",
      [](const sqlite::Statement& row) {
        return StoredHealth{row.text(0),        row.text(1),
                            row.number(2) != 0, from_ms(row.number(3)),
                            row.text(4),        read_address(row.text(5))};
      });
}

Result<void> write_health(sqlite::Database& database, std::span<const StoredHealth> upserts,
                          RowKeys removals) {
  return change_rows(database, "DELETE FROM health WHERE pool = ?1 AND backend = ?2", removals,
                     "INSERT OR REPLACE INTO health VALUES (?1, ?2, ?3, ?4, ?5, ?6)", upserts,
                     [](sqlite::Statement& put, const StoredHealth& row) {
                       const std::string address = row.address ? row.address->to_string() : "";
                       put.bind(1, row.pool).bind(2, row.backend).bind(3, int64_t{row.healthy});
                       return put.bind(4, to_ms(row.since)).bind(5, row.reason).bind(6, address).run();
                     });
}

}  // namespace maglb
