// How many flows each backend has: what one worker's tables hold, and what it was told of the others'.
//
// Counted are the places that are taken in the flow table and the live sessions of the nat table, from when
// an entry is made until its place is cleared: by the sweep, by erase(), or for another flow. So an entry
// that has expired counts until the sweep comes by (about a second), one that is adopted from another worker
// counts in both tables until the old one expires, and flows of services that keep none never count.
//
// Memory: two numbers for each counter index (BackendView::counter), on lines of their own each:
//   own      written by the worker alone
//   others   written by the main core alone: the flows of all other workers together
//
// Invariants:
//   1. own(i) is the number of entries in the worker's tables that name the backend counted at i, exactly,
//      between two calls of a table. A table says what changes where it changes; the place of an entry leads
//      to the same index from its first packet to its last, because a place that is given up keeps its index
//      until no flow can name it (Registry), and because snapshots know the indexes of pools that are gone.
//   2. So an index that goes to another backend stands at zero: its last entry was cleared before the
//      place's quarantine ended. (A service that keeps flows of removed backends ends the quarantine by a
//      look over tables that run; an entry that moved meanwhile may be missed then, and counts for the new
//      owner from then on. Such a level may be off by one, and below zero counts as none.)
//
// Why `others` and not the sum of all: the worker wants sum + own now - own as in the sum. Sum and part are
// two words, and a worker that reads one before the main core writes both and the other one after would be
// off by a worker's whole count. Their difference is one word: what is read is what was true when it was
// written, whatever the order in which words become visible. So all accesses are relaxed.
//
// How far off total() is: by what the other workers' levels changed since the main core read them.
//
// Beside the levels: the signals of pools that ask for them (backend_signals.h), at the same indexes.
//
// Threads: add(), signal() and use() of the worker; set_others() of the main core; own() and signals() of
// anyone.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "lib/flow/backend_signals.h"
#include "lib/net/backend_id.h"
#include "lib/net/place_counters.h"

namespace maglb {

class BackendFlows {
 public:
  BackendFlows(size_t backends_limit, std::pmr::memory_resource* memory)
      : own_(backends_limit, memory), others_(backends_limit, memory), signals_(backends_limit, memory) {}
  BackendFlows(const BackendFlows&) = delete;
  BackendFlows& operator=(const BackendFlows&) = delete;

  // By pool number, of the snapshot that the worker has now: before it changes a table.
  void use(std::span<const PlaceCounters> pools) { pools_ = pools; }

  // `change`: 1 or -1.
  void add(BackendId id, int change) {
    if (id.pool >= pools_.size() || id.place >= pools_[id.pool].places) {
      return;
    }
    std::atomic<uint32_t>& own = own_[pools_[id.pool].of(id.place)];
    own.store(own.load(std::memory_order_relaxed) + static_cast<uint32_t>(change), std::memory_order_relaxed);
  }

  // Counted where the backend's pool wants it.
  void signal(BackendId id, Signal signal) {
    if (id.pool < pools_.size() && pools_[id.pool].is_passive && id.place < pools_[id.pool].places) {
      signals_.count(pools_[id.pool].of(id.place), signal);
    }
  }
  const BackendSignals& signals() const { return signals_; }

  uint32_t own(uint32_t index) const { return own_[index].load(std::memory_order_relaxed); }
  // Of all workers, as far as this one knows.
  uint32_t total(uint32_t index) const {
    return at_least_none(own(index) + others_[index].load(std::memory_order_relaxed));
  }
  void set_others(uint32_t index, uint32_t flows) {
    // A line that does not change stays in the worker's cache.
    if (others_[index].load(std::memory_order_relaxed) != flows) {
      others_[index].store(flows, std::memory_order_relaxed);
    }
  }
  size_t limit() const { return own_.size(); }

  static uint32_t at_least_none(uint32_t level) {
    return static_cast<uint32_t>(std::max(static_cast<int32_t>(level), 0));
  }

 private:
  std::span<const PlaceCounters> pools_;
  std::pmr::vector<std::atomic<uint32_t>> own_;
  std::pmr::vector<std::atomic<uint32_t>> others_;
  BackendSignals signals_;
};

// All workers' flows of one index.
template <typename Workers>
uint32_t flows_of(const Workers& workers, uint32_t index) {
  uint32_t sum = 0;
  for (const BackendFlows* worker : workers) {
    sum += worker->own(index);
  }
  return BackendFlows::at_least_none(sum);
}

// Tells each worker what the others have, of these indexes. Main core only.
void share_flows(std::span<BackendFlows* const> workers, std::span<const uint32_t> indexes);
// What is not looked at any more is forgotten: whoever has the index next begins without others.
void forget_flows(std::span<BackendFlows* const> workers, std::span<const uint32_t> indexes);

}  // namespace maglb
