#include "controlplane/store/members.h"

namespace maglb {
namespace {

tl::unexpected<Error> forward(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace

Result<std::vector<StoredMember>> load_members(sqlite::Database& database) {
  auto select =
      database.prepare("SELECT pool, name, address, weight, max_connections FROM member ORDER BY pool, name");
  if (!select) {
    return forward(std::move(select).error());
  }
  std::vector<StoredMember> members;
  while (true) {
    const auto row = select->step();
    if (!row) {
      return forward(row.error());
    }
    if (!*row) {
      return members;
    }
    members.push_back({select->text(0), select->text(1), select->text(2),
                       static_cast<uint32_t>(select->number(3)), static_cast<uint32_t>(select->number(4))});
  }
}

Result<void> write_members(sqlite::Database& database, const std::string& pool,
                           std::span<const StoredMember> members) {
  auto transaction = sqlite::Transaction::begin(database);
  if (!transaction) {
    return forward(std::move(transaction).error());
  }
  auto clear = database.prepare("DELETE FROM member WHERE pool = ?1");
  auto insert = database.prepare("INSERT INTO member VALUES (?1, ?2, ?3, ?4, ?5)");
  for (auto* statement : {&clear, &insert}) {
    if (!*statement) {
      return forward(std::move(*statement).error());
    }
  }
  if (auto done = clear->bind(1, pool).run(); !done) {
    return done;
  }
  for (const StoredMember& member : members) {
    insert->bind(1, pool).bind(2, member.name).bind(3, member.address);
    insert->bind(4, int64_t{member.weight}).bind(5, int64_t{member.max_connections});
    if (auto done = insert->run(); !done) {
      return done;
    }
  }
  return transaction->commit();
}

}  // namespace maglb
