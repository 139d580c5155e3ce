// What must survive the control plane: the running document, known health, counters. SQLite in
// <state-dir>/state.db, WAL with synchronous=FULL: what a function here has returned success for is
// still there after a power loss.
//
// Schema (user_version 5, application_id "mglb"):
//   document(id = 1, text, source, file_hash, revision, applied_at_ms)   at most one row
//   health(pool, backend, healthy, since_ms, reason, address)            health.h
//   drain(pool, backend, began_ms, passed)                               drains.h
//   member(pool, name, address, weight, max_connections)                 members.h
//   revision, unconfirmed                                                revisions.h
//   event                                                                events.h
//   counter(name, value)                                                 generation, revision, event
//
// Invariants:
//   1. One process has the directory at a time (flock on <state-dir>/lock, which holds its pid).
//   2. A file that is damaged, not ours, or of a later schema is refused with a message and left as it
//      is; only the operator moves it away.
//   3. A function that returns an error changed nothing.
//
// Threads: one. Every write waits for the disk; put what changes together into one call.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controlplane/store/events.h"
#include "controlplane/store/members.h"
#include "controlplane/store/revisions.h"
#include "controlplane/store/rows.h"
#include "lib/base/error.h"
#include "lib/net/address.h"

namespace maglb {

struct StoredDocument {
  std::string text;
  DocumentSource source = DocumentSource::kFile;
  std::string file_hash;  // content_hash() of the file when it was last applied
  uint64_t revision = 0;  // its number
  std::chrono::system_clock::time_point applied_at{};
};

struct StoredHealth {
  std::string pool;
  std::string backend;
  bool healthy = false;
  std::chrono::system_clock::time_point since{};  // kept in milliseconds
  std::string reason;
  // Whose health it is: a backend that has another by now is another. Nothing: an earlier schema's row.
  std::optional<IpAddress> address = {};
  friend bool operator==(const StoredHealth&, const StoredHealth&) = default;
};

// That a backend is in drain: its deadline goes on over a restart.
struct StoredDrain {
  std::string pool;
  std::string backend;
  std::chrono::system_clock::time_point began{};  // kept in milliseconds
  bool passed = false;                            // its deadline, and that has been told
  friend bool operator==(const StoredDrain&, const StoredDrain&) = default;
};

struct StoredState {
  std::optional<StoredDocument> document;
  std::vector<StoredHealth> health;  // by pool, then backend
  std::vector<StoredDrain> drains;   // likewise
  std::optional<Unconfirmed> unconfirmed;
  uint64_t generation = 0;  // the highest that was ever reserved
};

// Names a file's content: 16 hexadecimal digits and the length. Not against forgers.
std::string content_hash(std::string_view content);

class Store {
 public:
  // Makes the directory and the file when they are missing. kConflict: another process has it.
  // kInvalid: the file is damaged, not ours or too new. kSystem: the disk refused.
  static Result<Store> open(const std::filesystem::path& state_dir);

  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  Result<StoredState> load();

  // Replaces the document and makes it a revision, whose number is returned: both or nothing. `file_hash` is
  // what load() gives back: for kRuntime pass the hash of the file that the change is on top of. With
  // `confirm_by` it is unconfirmed, and goes back to the document before; without, nothing is unconfirmed.
  Result<uint64_t> save_document(std::string_view text, DocumentSource source, std::string_view file_hash,
                                 const Author& author = {},
                                 std::optional<std::chrono::system_clock::time_point> confirm_by = {});
  // What was unconfirmed stays.
  Result<void> confirm();

  // As load_revisions() and its neighbours in revisions.h.
  Result<std::vector<Revision>> revisions(uint64_t before, size_t limit);
  Result<Revision> revision(uint64_t number);
  Result<std::string> revision_text(uint64_t number);

  // The kept events, the oldest first.
  Result<std::vector<Event>> events();
  // Adds events and keeps the newest; none up to `promised` will be given by a later process.
  Result<void> save_events(std::span<const Event> events, uint64_t promised);
  // The highest number that was ever promised.
  Result<uint64_t> promised_events();

  // Changes only these rows: what others hold stays. All or nothing. `removals`: (pool, backend).
  Result<void> save_health_changes(std::span<const StoredHealth> upserts, RowKeys removals);
  Result<void> save_drain_changes(std::span<const StoredDrain> upserts, RowKeys removals);

  // As load_members() and write_members() in members.h.
  Result<std::vector<StoredMember>> members();
  Result<void> save_members(const std::string& pool, std::span<const StoredMember> members);

  // Takes the next `count` generations for this process and returns the first. None is ever given
  // twice, so reserving many at a time saves disk waits and wastes only numbers. REQUIRES: count > 0.
  Result<uint64_t> reserve_generations(uint64_t count);

 private:
  class Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace maglb
