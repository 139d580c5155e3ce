// What the workers read: services, pools and backends of one generation, immutable once built.
//
// Layout: a Snapshot is an index of services (shared with the generations before while services do
// not change), and an array of pointers to pools by pool number. A pool is one object with its table
// and its backends; a change of one pool makes one new pool, every other is shared. All of it lies in
// the memory resource of one NUMA socket.
//
// Invariants:
//   1. Every slot of a pool is < backends.size() and names a backend that is kUp; or all are
//      kNoBackend. (A table may stay although all its backends fail their probes; the workers then
//      treat them as up.)
//   2. A service's pool number has a pool.
//   3. A backend keeps its place in its pool's array as long as it lives; a place is not given to
//      another backend until no flow can name it (Registry).
//   4. place_counters() has the counter of every place that a flow may name, also of pools that are gone and
//      whose places wait to be given away.
//   5. has_removed() in every snapshot that is made while a place that flows may name waits to be given
//      away: of a backend or of a whole pool that was removed.
//
// Threads: any number of readers. The owner (the dataplane's main core) frees a Snapshot only after
// every worker has passed a quiescent state; the shared parts go with the last generation that has
// them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <span>
#include <utility>
#include <vector>

#include "lib/net/address.h"
#include "lib/net/flow_key.h"
#include "lib/net/place_counters.h"
#include "lib/net/prefix.h"
#include "lib/net/selection_hash.h"
#include "lib/snapshot/view/candidates.h"
#include "lib/snapshot/view/forwarding_state.h"
#include "lib/snapshot/view/server_ids.h"
#include "lib/snapshot/view/service_index.h"

namespace maglb {

// A place of a pool's array that no backend has, or a removed backend whose flows may still be kept.
enum class PlaceState : uint8_t { kUp, kDrain, kUnhealthy, kDown, kRemoved, kVacant };

struct BackendView {
  IpAddress address;
  uint32_t next_hop_routed = 0;  // indexes of the next hop table: for ipip, by route;
  uint32_t next_hop_direct = 0;  // for l2, on-link
  uint32_t counter = 0;          // index of the workers' backend counters
  PlaceState state = PlaceState::kVacant;
};

struct PoolView {
  explicit PoolView(std::pmr::memory_resource* memory)
      : slots(memory), backends(memory), server_ids({}, memory), candidates(memory), max_flows(memory) {}

  uint16_t number = 0;
  bool keep_on_failure = false;  // some service of it keeps flows whose backend is gone
  bool is_passive = false;       // wants signals of its backends (lib/flow/backend_signals.h)
  SelectionHash selection;
  std::pmr::vector<uint16_t> slots;  // places in `backends`, or kNoBackend
  std::pmr::vector<BackendView> backends;
  ServerIds server_ids;  // of the backends that live
  Scheduler scheduler = Scheduler::kMaglev;
  uint8_t source_length_v4 = IpPrefix::kBits;  // of source-hash, in bits of the 16 bytes
  uint8_t source_length_v6 = IpPrefix::kBits;
  Candidates candidates;                 // empty where the table alone decides
  std::pmr::vector<uint32_t> max_flows;  // by place, 0: no bound; empty: none has one

  // Whether the table alone decides for every packet.
  bool goes_by_table() const { return !is_stateful(scheduler) && max_flows.empty(); }
  uint32_t slot_of(const FlowKey& key) const {
    if (scheduler == Scheduler::kSourceHash) [[unlikely]] {
      return slot_of_source(key.source);
    }
    return SelectionHash::slot(selection(key), static_cast<uint32_t>(slots.size()));
  }

 private:
  uint32_t slot_of_source(const IpAddress& source) const {
    FlowKey key;
    key.source = masked(source, source.is_v4() ? source_length_v4 : source_length_v6);
    key.protocol = Protocol::kAny;
    return SelectionHash::slot(selection(key), static_cast<uint32_t>(slots.size()));
  }
};

class Snapshot {
 public:
  using Pools = std::pmr::vector<std::shared_ptr<const PoolView>>;  // by number; null where none

  // Pools that are gone, by number, with the counters of their places.
  using GonePools = std::pmr::vector<std::pair<uint16_t, std::pmr::vector<uint32_t>>>;

  Snapshot(uint64_t generation, std::shared_ptr<const ServiceIndex> services, Pools pools,
           bool has_removed = true, GonePools gone = {})
      : generation_(generation),
        services_(std::move(services)),
        pools_(std::move(pools)),
        has_removed_(has_removed),
        gone_(std::move(gone)),
        place_counters_(pools_.get_allocator()) {
    for (size_t number = 0; number < pools_.size(); ++number) {
      if (pools_[number] != nullptr && !pools_[number]->backends.empty()) {
        const auto& backends = pools_[number]->backends;
        counters_of(number) = {&backends.front().counter, sizeof(BackendView), pools_[number]->is_passive,
                               static_cast<uint32_t>(backends.size())};
      }
    }
    for (const auto& [number, counters] : gone_) {
      counters_of(number) = {counters.data(), sizeof(uint32_t), false,
                             static_cast<uint32_t>(counters.size())};
    }
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  uint64_t generation() const { return generation_; }
  const ServiceIndex& services() const { return *services_; }
  // Whether flows may name a backend that is gone; if not, a sweep need only look at what is expired.
  bool has_removed() const { return has_removed_; }
  // By pool number.
  std::span<const PlaceCounters> place_counters() const { return place_counters_; }
  // Null: no pool has that number.
  const PoolView* pool(uint16_t number) const {
    return number < pools_.size() ? pools_[number].get() : nullptr;
  }
  // The service's pool. REQUIRES: the service is of this snapshot.
  const PoolView* pool_of(const ServiceView& service) const { return pools_[service.pool].get(); }
  // The place's backend, or null where there is none.
  static const BackendView* backend(const PoolView& pool, uint16_t place) {
    return place < pool.backends.size() && pool.backends[place].state != PlaceState::kVacant
               ? &pool.backends[place]
               : nullptr;
  }

 private:
  PlaceCounters& counters_of(size_t number) {
    place_counters_.resize(std::max(place_counters_.size(), number + 1));
    return place_counters_[number];
  }

  uint64_t generation_;
  std::shared_ptr<const ServiceIndex> services_;
  Pools pools_;
  bool has_removed_;
  GonePools gone_;
  std::pmr::vector<PlaceCounters> place_counters_;
};

}  // namespace maglb
