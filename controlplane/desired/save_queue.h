// What is to be kept and may lag a little behind: health, drains and found members. What the disk refuses
// (locked, full, broken) waits here and is tried again, so that a restart finds what ran.
//
// Invariants:
//   1. Of a key (a pool's backend; for members a pool) the newest that was put in is written, once.
//   2. It holds at most one row a key. Keys are of the configuration, or of rows that the store has.
//   3. While a write waits to be tried again nothing else is tried: a locked database is waited for inside
//      SQLite, and the event loop with it.
//
// Threads: the io_context's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/desired/verdicts.h"
#include "controlplane/store/store.h"
#include "lib/base/error.h"

namespace maglb {

class SaveQueue {
 public:
  static constexpr std::chrono::milliseconds kRetry{2000};

  // `told` is called with the outcome of each flush() that had something to write. The store outlives it.
  SaveQueue(boost::asio::io_context& io, Store& store, std::function<void(const Result<void>&)> told);
  // Tries once more.
  ~SaveQueue();
  SaveQueue(const SaveQueue&) = delete;
  SaveQueue& operator=(const SaveQueue&) = delete;

  void put(StoredHealth row);
  void put(StoredDrain row);
  void forget_health(const BackendKey& backend) { health_[backend].reset(); }
  void forget_drain(const BackendKey& backend) { drains_[backend].reset(); }
  // The whole list of the pool; none: forgets it.
  void put_members(const std::string& pool, std::vector<StoredMember> members);

  // Writes what waits, at once or behind a refusal's time.
  void flush();

 private:
  template <typename Row>
  using Rows = std::map<BackendKey, std::optional<Row>>;  // nothing: it is to go

  bool empty() const { return health_.empty() && drains_.empty() && members_.empty(); }
  Result<void> write();
  Result<void> write_members();

  boost::asio::steady_timer timer_;
  Store& store_;
  std::function<void(const Result<void>&)> told_;
  Rows<StoredHealth> health_;
  Rows<StoredDrain> drains_;
  std::map<std::string, std::vector<StoredMember>> members_;
  bool waiting_ = false;
};

}  // namespace maglb
