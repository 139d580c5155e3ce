#include "controlplane/store/sqlite.h"

#include <fmt/format.h>

#include <system_error>

#include "lib/base/check.h"

namespace maglb::sqlite {
namespace {

// A file that is no database is the operator's to look at; everything else is the system's refusal.
tl::unexpected<Error> fail_sqlite(sqlite3* handle) {
  const int code = sqlite3_extended_errcode(handle);
  const int primary = code & 0xff;
  const bool damaged = primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB;
  const int system_error = sqlite3_system_errno(handle);
  std::string message = sqlite3_errmsg(handle);
  if ((primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) && system_error != 0) {
    message = fmt::format("{} ({})", message, std::generic_category().message(system_error));
  }
  return fail(damaged ? ErrorKind::kInvalid : ErrorKind::kSystem, std::move(message));
}

}  // namespace

Statement& Statement::bind(int index, std::string_view text) {
  // Never null: a null pointer would bind NULL, and an empty text is not that.
  const char* data = text.data() == nullptr ? "" : text.data();
  const int code = sqlite3_bind_text64(handle_.get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
  check(code != SQLITE_RANGE && code != SQLITE_MISUSE, "a statement has this parameter");
  bound_ = bound_ && code == SQLITE_OK;
  return *this;
}

Statement& Statement::bind(int index, int64_t number) {
  check(sqlite3_bind_int64(handle_.get(), index, number) == SQLITE_OK, "a statement has this parameter");
  return *this;
}

Statement& Statement::bind_bytes(int index, std::string_view bytes) {
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  const int code = sqlite3_bind_blob64(handle_.get(), index, data, bytes.size(), SQLITE_STATIC);
  check(code != SQLITE_RANGE && code != SQLITE_MISUSE, "a statement has this parameter");
  bound_ = bound_ && code == SQLITE_OK;
  return *this;
}

Result<bool> Statement::step() {
  if (!bound_) {
    bound_ = true;
    return fail(ErrorKind::kSystem, "a text is too long to be stored");
  }
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW || code == SQLITE_DONE) {
    return code == SQLITE_ROW;
  }
  return fail_sqlite(sqlite3_db_handle(handle_.get()));
}

Result<void> Statement::run() {
  while (true) {
    Result<bool> row = step();
    if (!row || !*row) {
      sqlite3_reset(handle_.get());
      return row ? Result<void>() : tl::unexpected<Error>(std::move(row).error());
    }
  }
}

std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  const int size = sqlite3_column_bytes(handle_.get(), column);
  return data == nullptr ? std::string() : std::string(data, static_cast<size_t>(size));
}

std::string Statement::bytes(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
  const int size = sqlite3_column_bytes(handle_.get(), column);
  return data == nullptr ? std::string() : std::string(data, static_cast<size_t>(size));
}

Result<Database> Database::open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  check(handle != nullptr, "memory for a database handle");
  Database database(handle);
  if (code != SQLITE_OK) {
    return fail_sqlite(handle);
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, 1000);
  return database;
}

Result<void> Database::execute(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return fail_sqlite(handle_.get());
  }
  return {};
}

Result<Statement> Database::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(handle_.get(), sql, -1, &statement, nullptr) != SQLITE_OK) {
    return fail_sqlite(handle_.get());
  }
  return Statement(statement);
}

Result<int64_t> Database::query_number(const char* sql) {
  return prepare(sql).and_then([](Statement statement) -> Result<int64_t> {
    return statement.step().map([&](bool row) { return row ? statement.number(0) : 0; });
  });
}

Result<std::string> Database::query_text(const char* sql) {
  return prepare(sql).and_then([](Statement statement) -> Result<std::string> {
    return statement.step().map([&](bool row) { return row ? statement.text(0) : std::string(); });
  });
}

Result<Transaction> Transaction::begin(Database& database) {
  return database.execute("BEGIN IMMEDIATE").map([&] { return Transaction(database); });
}

Transaction::~Transaction() {
  if (database_ != nullptr) {
    // Fails harmlessly where SQLite has rolled back by itself, as after a full disk.
    (void)database_->execute("ROLLBACK");
  }
}

Result<void> Transaction::commit() {
  Result<void> done = database_->execute("COMMIT");
  if (done) {
    database_ = nullptr;
  }
  return done;
}

}  // namespace maglb::sqlite
