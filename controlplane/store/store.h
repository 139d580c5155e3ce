// What must survive the control plane: the running document, known health, counters. SQLite in
// <state-dir>/state.db, WAL with synchronous=FULL: what a function here has returned success for is
// still there after a power loss.
//
// Schema (user_version 2, application_id "mglb"):
//   document(id = 1, text, source, file_hash, revision, applied_at_ms)   at most one row
//   health(pool, backend, healthy, since_ms, reason)                     one row a backend
//   drain(pool, backend, began_ms, passed)                               drains.h
//   counter(name, value)                                                 generation
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

#include "lib/base/error.h"

namespace maglb {

// Where the running document came from: maglb.yaml, or a change through the API on top of it.
enum class DocumentSource : uint8_t { kFile, kRuntime };

struct StoredDocument {
  std::string text;
  DocumentSource source = DocumentSource::kFile;
  std::string file_hash;  // content_hash() of the file when it was last applied
  uint64_t revision = 0;  // how many documents were ever saved
  std::chrono::system_clock::time_point applied_at{};
};

struct StoredHealth {
  std::string pool;
  std::string backend;
  bool healthy = false;
  std::chrono::system_clock::time_point since{};  // kept in milliseconds
  std::string reason;
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
  uint64_t generation = 0;           // the highest that was ever reserved
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

  // Replaces the document; returns its revision. `file_hash` is what load() gives back: for kRuntime
  // pass the hash of the file that the change is on top of.
  Result<uint64_t> save_document(std::string_view text, DocumentSource source, std::string_view file_hash);

  // Makes `rows` the whole: forgets every backend that is not in it. All or nothing.
  Result<void> save_health(std::span<const StoredHealth> rows);

  // Changes only these rows: what others hold stays. All or nothing. `removals`: (pool, backend).
  using Keys = std::span<const std::pair<std::string, std::string>>;
  Result<void> save_health_changes(std::span<const StoredHealth> upserts, Keys removals);
  Result<void> save_drain_changes(std::span<const StoredDrain> upserts, Keys removals);

  // Takes the next `count` generations for this process and returns the first. None is ever given
  // twice, so reserving many at a time saves disk waits and wastes only numbers. REQUIRES: count > 0.
  Result<uint64_t> reserve_generations(uint64_t count);

 private:
  class Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace maglb
