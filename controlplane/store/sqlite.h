// SQLite's C interface as owners and Results: a database, a prepared statement, a transaction. Knows
// nothing of what is stored.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace maglb::sqlite {

struct CloseDatabase {
  void operator()(sqlite3* handle) const { sqlite3_close(handle); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
};

// A prepared statement. Text that is bound must live until the next step().
class Statement {
 public:
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, int64_t number);
  Statement& bind_bytes(int index, std::string_view bytes);

  // True when there is a row to read, false at the end.
  Result<bool> step();
  // Runs it to the end and makes it ready to be bound again.
  Result<void> run();

  std::string text(int column) const;
  std::string bytes(int column) const;
  int64_t number(int column) const { return sqlite3_column_int64(handle_.get(), column); }

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}
  std::unique_ptr<sqlite3_stmt, FinalizeStatement> handle_;
  bool bound_ = true;  // false: a bind() failed, told by the next step()
};

class Database {
 public:
  // Opens for reading and writing, makes the file when it is missing. Nothing is read from it yet.
  static Result<Database> open(const std::string& path);

  Result<void> execute(const char* sql);
  Result<Statement> prepare(const char* sql);
  // The one number that `sql` yields.
  Result<int64_t> query_number(const char* sql);
  // The first column of the first row.
  Result<std::string> query_text(const char* sql);
  bool read_only() const { return sqlite3_db_readonly(handle_.get(), "main") == 1; }

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}
  std::unique_ptr<sqlite3, CloseDatabase> handle_;
};

// Rolled back at its end unless commit() has succeeded.
class Transaction {
 public:
  // Takes the write lock at once.
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) { other.database_ = nullptr; }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace maglb::sqlite
