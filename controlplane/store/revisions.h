// Every document that was ever accepted, with who, when and why, in table revision(number, at_ms, source,
// uid, gid, pid, user, program, why, size, stored, body). `body` is the document by zlib, or as it is where
// stored = size (what a schema without revisions left); NULL where it was forgotten.
//
// Invariants:
//   1. Numbers count up and are not given twice. The newest is the running document.
//   2. At least kMinRevisions are listed, however big their documents: when those outgrow
//      `bytes`, the oldest documents are forgotten and their lines stay.
//   3. Never forgotten: the two newest documents, and the one that an unconfirmed change returns to.
//
// Threads: as Store, for which these work.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/store/sqlite.h"
#include "lib/base/error.h"

namespace maglb {

// Where a document came from: maglb.yaml, or a change through the API on top of it.
enum class DocumentSource : uint8_t { kFile, kRuntime };

// Who made a change, as it was looked up then. A process of this machine has a pid.
struct Who {
  uint32_t uid = 0;
  uint32_t gid = 0;
  int32_t pid = 0;      // 0: no process asked for it, uid and gid say nothing
  std::string user;     // "root"; "file" for a changed file, "maglb" for what it does by itself
  std::string program;  // "maglbctl"; empty: not known
  friend bool operator==(const Who&, const Who&) = default;
};

struct Author {
  Who who;
  std::string why;
  friend bool operator==(const Author&, const Author&) = default;
};

struct Revision {
  uint64_t number = 0;
  std::chrono::system_clock::time_point at{};  // kept in milliseconds
  DocumentSource source = DocumentSource::kFile;
  Author author;
  uint64_t size = 0;         // of the document in bytes
  bool has_document = true;  // false: forgotten for its size
  friend bool operator==(const Revision&, const Revision&) = default;
};

// A change that reverts by itself: `revision` runs, `back_to` comes back at the deadline.
struct Unconfirmed {
  uint64_t revision = 0;
  uint64_t back_to = 0;
  std::chrono::system_clock::time_point deadline{};  // kept in milliseconds
  friend bool operator==(const Unconfirmed&, const Unconfirmed&) = default;
};

inline constexpr uint64_t kMinRevisions = 1000;

struct RevisionBounds {
  uint64_t count = 2 * kMinRevisions;
  uint64_t bytes = uint64_t{256} << 20;  // of all stored documents
};

// Both within the caller's transaction. `revision.size` is not read.
Result<void> write_revision(sqlite::Database& database, const Revision& revision, std::string_view text);
Result<void> prune_revisions(sqlite::Database& database, const RevisionBounds& bounds);

// The newest first: at most `limit` with a number below `before`.
Result<std::vector<Revision>> load_revisions(sqlite::Database& database, uint64_t before, size_t limit);
Result<Revision> load_revision(sqlite::Database& database, uint64_t number);
// kNotFound: there is none of this number, or its document was forgotten.
Result<std::string> load_revision_text(sqlite::Database& database, uint64_t number);

// Replaces the one there may be; nothing takes it away. Within the caller's transaction.
Result<void> write_unconfirmed(sqlite::Database& database, const std::optional<Unconfirmed>& change);
Result<std::optional<Unconfirmed>> load_unconfirmed(sqlite::Database& database);

}  // namespace maglb
