// Rows of a table as values: read all, or change some, all or nothing. What a table looks like is its own
// file's (drains.h, health.h, members.h, events.h).
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/store/sqlite.h"
#include "lib/base/error.h"

namespace maglb {

// (pool, backend).
using RowKeys = std::span<const std::pair<std::string, std::string>>;

inline int64_t to_ms(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

inline std::chrono::system_clock::time_point from_ms(int64_t ms) {
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(ms));
}

// What `take(statement)` makes of each row of a query.
template <typename Row, typename Take>
Result<std::vector<Row>> read_rows(sqlite::Database& database, const char* query, const Take& take) {
  auto statement = database.prepare(query);
  if (!statement) {
    return tl::unexpected<Error>(std::move(statement).error());
  }
  std::vector<Row> rows;
  while (true) {
    auto row = statement->step();
    if (!row) {
      return tl::unexpected<Error>(std::move(row).error());
    }
    if (!*row) {
      return rows;
    }
    rows.push_back(take(*statement));
  }
}

// Runs `sql` once for each of `values`, which `run(statement, value)` binds. Within the caller's transaction.
template <typename Values, typename Run>
Result<void> run_for_each(sqlite::Database& database, const char* sql, const Values& values, const Run& run) {
  auto statement = database.prepare(sql);
  if (!statement) {
    return tl::unexpected<Error>(std::move(statement).error());
  }
  for (const auto& value : values) {
    if (auto done = run(*statement, value); !done) {
      return done;
    }
  }
  return {};
}

// In a transaction of its own: first `removals` by `erase`, whose parameters are pool and backend, then
// `upserts` by `put`.
template <typename Row, typename Run>
Result<void> change_rows(sqlite::Database& database, const char* erase, RowKeys removals, const char* put,
                         std::span<const Row> upserts, const Run& run) {
  auto transaction = sqlite::Transaction::begin(database);
  if (!transaction) {
    return tl::unexpected<Error>(std::move(transaction).error());
  }
  const auto erase_one = [](sqlite::Statement& statement, const auto& key) {
    return statement.bind(1, key.first).bind(2, key.second).run();
  };
  return run_for_each(database, erase, removals, erase_one)
      .and_then([&] { return run_for_each(database, put, upserts, run); })
      .and_then([&] { return transaction->commit(); });
}

}  // namespace maglb
