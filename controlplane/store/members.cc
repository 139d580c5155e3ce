#include "controlplane/store/members.h"

#include "controlplane/store/rows.h"

namespace maglb {

Result<std::vector<StoredMember>> load_members(sqlite::Database& database) {
  return read_rows<StoredMember>(
      database, "SELECT pool, name, address, weight, max_connections FROM member ORDER BY pool, name",
      [](const sqlite::Statement& row) {
        return StoredMember{row.text(0), row.text(1), row.text(2), static_cast<uint32_t>(row.number(3)),
                            static_cast<uint32_t>(row.number(4))};
      });
}

Result<void> write_members(sqlite::Database& database, const std::string& pool,
                           std::span<const StoredMember> members) {
  auto transaction = sqlite::Transaction::begin(database);
  if (!transaction) {
    return tl::unexpected<Error>(std::move(transaction).error());
  }
  const auto clear = [](sqlite::Statement& statement, const std::string& of) {
    return statement.bind(1, of).run();
  };
  const auto insert = [&pool](sqlite::Statement& statement, const StoredMember& member) {
    statement.bind(1, pool).bind(2, member.name).bind(3, member.address);
    return statement.bind(4, int64_t{member.weight}).bind(5, int64_t{member.max_connections}).run();
  };
  return run_for_each(database, "DELETE FROM member WHERE pool = ?1", std::span(&pool, 1), clear)
      .and_then([&] {
        return run_for_each(database, "INSERT INTO member VALUES (?1, ?2, ?3, ?4, ?5)", members, insert);
      })
      .and_then([&] { return transaction->commit(); });
}

}  // namespace maglb
