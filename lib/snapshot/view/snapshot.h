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
//   4. has_removed() in every snapshot that is made while a place that flows may name waits to be given
//      away: of a backend or of a whole pool that was removed.
//
// Threads: any number of readers. The owner (the dataplane's main core) frees a Snapshot only after
// every worker has passed a quiescent state; the shared parts go with the last generation that has
// them.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <span>
#include <vector>

#include "lib/net/address.h"
#include "lib/net/flow_key.h"
#include "lib/net/selection_hash.h"
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
      : slots(memory), backends(memory), server_ids({}, memory) {}

  uint16_t number = 0;
  bool keep_on_failure = false;  // some service of it keeps flows whose backend is gone
  SelectionHash selection;
  std::pmr::vector<uint16_t> slots;  // places in `backends`, or kNoBackend
  std::pmr::vector<BackendView> backends;
  ServerIds server_ids;  // of the backends that live

  uint32_t slot_of(const FlowKey& key) const {
    return SelectionHash::slot(selection(key), static_cast<uint32_t>(slots.size()));
  }
};

class Snapshot {
 public:
  using Pools = std::pmr::vector<std::shared_ptr<const PoolView>>;  // by number; null where none

  Snapshot(uint64_t generation, std::shared_ptr<const ServiceIndex> services, Pools pools,
           bool has_removed = true)
      : generation_(generation),
        services_(std::move(services)),
        pools_(std::move(pools)),
        has_removed_(has_removed) {}

  uint64_t generation() const { return generation_; }
  const ServiceIndex& services() const { return *services_; }
  // Whether flows may name a backend that is gone; if not, a sweep need only look at what is expired.
  bool has_removed() const { return has_removed_; }
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
  uint64_t generation_;
  std::shared_ptr<const ServiceIndex> services_;
  Pools pools_;
  bool has_removed_;
};

}  // namespace maglb
