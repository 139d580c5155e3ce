// How a change reaches the workers: the registry makes snapshots of it, one release store a socket
// shows them to the workers, and the old ones are freed when every worker has passed a quiescent state.
//
// Invariants:
//   1. What a worker can have loaded from published() is not freed before its next quiescent state.
//   2. publish() is all or nothing.
//
// Threads: the main core; workers read published().
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "dataplane/grace.h"
#include "lib/snapshot/view/registry.h"

namespace maglb {

class Publisher {
 public:
  // REQUIRES: `registry` makes one snapshot for each of `sockets`; all workers are gone before it is.
  Publisher(Registry& registry, Grace& grace, size_t sockets);

  struct Published {
    std::vector<uint32_t> fresh_service_counters;
    std::vector<uint32_t> fresh_backend_counters;
  };
  Result<Published> publish(const Change& change);

  // What the workers of a socket read; null before the first change.
  const std::atomic<const Snapshot*>& published(size_t socket) const { return slots_[socket].snapshot; }
  const Snapshot* current() const { return slots_[0].snapshot.load(std::memory_order_relaxed); }

  // Frees what no worker can read any more. Never waits.
  void reclaim();
  size_t waiting() const { return retired_.size(); }

 private:
  using Snapshots = std::vector<std::unique_ptr<const Snapshot>>;  // one a socket
  struct alignas(64) Slot {
    std::atomic<const Snapshot*> snapshot{nullptr};
  };
  struct Retired {
    uint64_t token = 0;
    Snapshots snapshots;
  };

  Registry& registry_;
  Grace& grace_;
  std::vector<Slot> slots_;
  Snapshots running_;
  std::deque<Retired> retired_;
};

}  // namespace maglb
