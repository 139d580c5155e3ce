#include "controlplane/store/schema.h"

#include <fmt/format.h>

#include <array>

namespace maglb {
namespace {

// kSteps[i] takes version i to i + 1. A step that has been released is never changed.
constexpr std::array<const char*, kSchemaVersion> kSteps = {
    R"(CREATE TABLE document(
         id INTEGER PRIMARY KEY CHECK (id = 1),
         text TEXT NOT NULL,
         source INTEGER NOT NULL,
         file_hash TEXT NOT NULL,
         revision INTEGER NOT NULL,
         applied_at_ms INTEGER NOT NULL);
       CREATE TABLE health(
         pool TEXT NOT NULL,
         backend TEXT NOT NULL,
         healthy INTEGER NOT NULL,
         since_ms INTEGER NOT NULL,
         reason TEXT NOT NULL,
         PRIMARY KEY (pool, backend)) WITHOUT ROWID;
       CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
       INSERT INTO counter VALUES ('generation', 0);
       INSERT INTO counter VALUES ('revision', 0);)",
    // The document of a schema without revisions becomes the first of them.
    R"(CREATE TABLE revision(
         number INTEGER PRIMARY KEY,
         at_ms INTEGER NOT NULL,
         source INTEGER NOT NULL,
         uid INTEGER NOT NULL,
         gid INTEGER NOT NULL,
         pid INTEGER NOT NULL,
         user TEXT NOT NULL,
         program TEXT NOT NULL,
         why TEXT NOT NULL,
         size INTEGER NOT NULL,
         stored INTEGER NOT NULL,
         body BLOB);
       CREATE TABLE unconfirmed(
         id INTEGER PRIMARY KEY CHECK (id = 1),
         revision INTEGER NOT NULL,
         back_to INTEGER NOT NULL,
         deadline_ms INTEGER NOT NULL);
       CREATE TABLE event(
         number INTEGER PRIMARY KEY,
         time_ms INTEGER NOT NULL,
         kind TEXT NOT NULL,
         pool TEXT NOT NULL,
         backend TEXT NOT NULL,
         text TEXT NOT NULL);
       INSERT INTO counter VALUES ('event', 0);
       UPDATE document SET revision = 1;
       UPDATE counter SET value = (SELECT count(*) FROM document) WHERE name = 'revision';
       INSERT INTO revision SELECT 1, applied_at_ms, source, 0, 0, 0, '', '', 'running before there were revisions',
         length(CAST(text AS BLOB)), length(CAST(text AS BLOB)), CAST(text AS BLOB) FROM document;)",
    R"(CREATE TABLE drain(
         pool TEXT NOT NULL,
         backend TEXT NOT NULL,
         began_ms INTEGER NOT NULL,
         passed INTEGER NOT NULL,
         PRIMARY KEY (pool, backend)) WITHOUT ROWID;)",
    R"(CREATE TABLE member(
         pool TEXT NOT NULL,
         name TEXT NOT NULL,
         address TEXT NOT NULL,
         weight INTEGER NOT NULL,
         max_connections INTEGER NOT NULL,
         PRIMARY KEY (pool, name)) WITHOUT ROWID;)",
    "ALTER TABLE health ADD COLUMN address TEXT NOT NULL DEFAULT ''",
};

Result<void> check_integrity(sqlite::Database& database) {
  Result<std::string> verdict = database.query_text("PRAGMA quick_check(1)");
  if (!verdict) {
    return tl::unexpected<Error>(std::move(verdict).error());
  }
  if (*verdict != "ok") {
    return fail(ErrorKind::kInvalid, "damaged: " + *verdict);
  }
  return {};
}

// The version of a file that is ours; 0 for an empty one.
Result<int64_t> accepted_version(sqlite::Database& database) {
  Result<int64_t> application = database.query_number("PRAGMA application_id");
  Result<int64_t> version = database.query_number("PRAGMA user_version");
  Result<int64_t> objects = database.query_number("SELECT count(*) FROM sqlite_schema");
  for (Result<int64_t>* each : {&application, &version, &objects}) {
    if (!*each) {
      return *each;
    }
  }
  if (*application == 0 && *version == 0 && *objects == 0) {
    return 0;
  }
  if (*application != kApplicationId || *version < 1) {
    return fail(ErrorKind::kInvalid, "a database of another program, not of maglb");
  }
  if (*version > kSchemaVersion) {
    return fail(ErrorKind::kInvalid,
                fmt::format("written by a later maglb (schema {}, this one knows up to {})", *version,
                            kSchemaVersion));
  }
  return check_integrity(database).map([&] { return *version; });
}

Result<void> take_step(sqlite::Database& database, int64_t from) {
  Result<sqlite::Transaction> transaction = sqlite::Transaction::begin(database);
  if (!transaction) {
    return tl::unexpected<Error>(std::move(transaction).error());
  }
  const std::string stamp =
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", kApplicationId, from + 1);
  return database.execute(kSteps[static_cast<size_t>(from)])
      .and_then([&] { return database.execute(stamp.c_str()); })
      .and_then([&] { return transaction->commit(); });
}

// WAL outlives the connection (it is written in the file), synchronous=FULL does not. FULL syncs the
// log at every commit; NORMAL would lose acknowledged commits with the power.
Result<void> set_durability(sqlite::Database& database) {
  Result<std::string> mode = database.query_text("PRAGMA journal_mode = WAL");
  if (!mode) {
    return tl::unexpected<Error>(std::move(mode).error());
  }
  if (*mode != "wal") {
    return fail(ErrorKind::kSystem, "cannot keep a write-ahead log here (journal mode stays " + *mode + ")");
  }
  return database.execute("PRAGMA synchronous = FULL");
}

}  // namespace

Result<void> prepare_schema(sqlite::Database& database) {
  Result<int64_t> version = accepted_version(database);
  if (!version) {
    return tl::unexpected<Error>(std::move(version).error());
  }
  if (database.read_only()) {
    return fail(ErrorKind::kSystem, "the file is read-only");
  }
  if (Result<void> durable = set_durability(database); !durable) {
    return durable;
  }
  for (int64_t from = *version; from < kSchemaVersion; ++from) {
    Result<void> done = take_step(database, from);
    if (!done) {
      return tl::unexpected<Error>(
          std::move(done).error().within(fmt::format("schema {} to {}", from, from + 1)));
    }
  }
  return {};
}

}  // namespace maglb
