// The dataplane's own knowledge of the forwarding state: which numbers it has handed out, and the
// snapshots made from a Change. It trusts nothing in a Change: every name, index, bound and reference
// is checked before anything is touched.
//
// Numbers handed out:
//   - pool numbers and, in each pool, backend places: what flows name. A number that is given up is
//     quarantined until every worker's sweep has passed its whole flow table since, and, where a service
//     keeps the flows of removed backends, until no flow names it.
//   - service ids: counted up, never reused. The id of a service lasts as long as its name, address,
//     protocol and port.
//   - counter indexes of services, next hop indexes: reused at once. A backend's counter index goes with its
//     place: how many flows it has is counted there (lib/flow/backend_flows.h).
//
// Invariants:
//   1. apply() is all or nothing: on an error nothing changed.
//   2. A name keeps its numbers from change to change, also when the whole state is sent again.
//
// Threads: the main core only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/net/backend_id.h"
#include "lib/snapshot/view/forwarding_state.h"
#include "lib/snapshot/view/snapshot.h"

namespace maglb {

struct PoolRecord;

// Where the indexes of next hops come from. Main core only.
class NextHopSource {
 public:
  virtual ~NextHopSource() = default;
  // An index for the backend's address in that mode; the same index for the same pair while it is
  // held. Held as often as acquired.
  virtual Result<uint32_t> acquire(const IpAddress& backend, ForwardMode mode) = 0;
  virtual void release(uint32_t index) = 0;
};

class Registry {
 public:
  struct Limits {
    uint32_t services = 4096;
    uint32_t pools = 4096;
    uint32_t backends = 65536;  // in all pools together
  };

  // Where a service or backend is counted now. Who had the index before has counted there too: the
  // reader subtracts what the counters were when apply() called the index fresh.
  struct CountedService {
    std::string name;
    uint32_t counter;
  };
  struct CountedBackend {
    std::string pool;
    std::string name;
    uint32_t counter;
    uint32_t next_hop;  // of the mode its services use, routed if both
    bool is_passive;    // its pool's: whether signals of it are counted
  };

  // `sockets`: one memory resource for each NUMA socket with workers. REQUIRES: not empty; they and
  // `next_hops` outlive the registry and every snapshot it made.
  Registry(Limits limits, NextHopSource& next_hops, std::vector<std::pmr::memory_resource*> sockets);
  ~Registry();  // gives its next hops back
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  struct Applied {
    std::vector<std::unique_ptr<const Snapshot>> snapshots;  // one a socket
    std::vector<uint32_t> fresh_service_counters;            // indexes that count something new now
    std::vector<uint32_t> fresh_backend_counters;
  };

  // kConflict: the base generation is not the one that runs; send the whole state.
  Result<Applied> apply(const Change& change);

  // A pool and what it was made into: as long as it does not change it is the same object.
  struct CountedPool {
    std::string name;
    std::shared_ptr<const PoolRecord> record;
    bool direct_only;  // all its services forward by l2
  };

  uint64_t generation() const;
  const Limits& limits() const;
  std::vector<CountedService> services() const;
  std::vector<CountedBackend> backends() const;
  // Sorted by name. What it says changes with the generation only, but for places that wait to be freed.
  std::vector<CountedPool> counted_pools() const;
  // The counters of backends whose flows matter to a choice: of pools that look at how many each has, or
  // bound it. In no order.
  std::vector<uint32_t> watched_counters() const;
  // "pool/backend" names for a flow's backend; nothing when it is gone.
  struct BackendName {
    std::string pool;
    std::string backend;
  };
  std::optional<BackendName> name_of(BackendId id) const;
  std::optional<std::string> service_name(uint32_t service_id) const;

  // `rounds`: how many rounds the workers' sweeps have ended (lib/flow/sweep_rounds.h); two more, as one
  // is under way, free what was removed. `in_use(id)`: whether a pass since has seen a flow of a removed
  // backend. Call it after the snapshot is published. Cheap when nothing waits.
  void collect(uint64_t rounds, const std::function<bool(BackendId)>& in_use);
  size_t quarantined() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace maglb
