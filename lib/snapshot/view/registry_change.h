// What a Change makes of the Registry's records: new maps beside the old ones, so that a refusal leaves
// nothing behind. Main core only.
#pragma once

#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "lib/snapshot/view/index_pool.h"
#include "lib/snapshot/view/pool_record.h"
#include "lib/snapshot/view/registry.h"

namespace maglb {

using RecordPtr = std::shared_ptr<const PoolRecord>;
using Records = std::map<std::string, RecordPtr, std::less<>>;

struct ServiceRecord {
  ServiceSpec spec;
  uint32_t id = 0;
  uint32_t counter = 0;

  using Identity = std::tuple<std::string, IpPrefix, Protocol, PortRange>;
  static Identity identity_of(const ServiceSpec& spec) {
    return {spec.name, spec.address, spec.protocol, spec.port};
  }
};
using Services = std::map<ServiceRecord::Identity, ServiceRecord>;

// One change under way. What it takes from the state it gives back, unless it is committed; what it
// makes is in its own maps until then.
class Transaction {
 public:
  Transaction(Registry::Limits& limits, NextHopSource& next_hops, IndexPool& pool_numbers,
              IndexPool& service_counters, IndexPool& backend_counters)
      : limits_(limits),
        next_hops_(next_hops),
        pool_numbers_(pool_numbers),
        service_counters_(service_counters),
        backend_counters_(backend_counters) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  ~Transaction() {
    if (committed_) {
      return;
    }
    for (const uint32_t number : taken_pool_numbers_) {
      pool_numbers_.give_back(number);
    }
    for (const uint32_t index : taken_service_counters_) {
      service_counters_.give_back(index);
    }
    for (const uint32_t index : fresh_backend_counters) {
      backend_counters_.give_back(index);
    }
    for (const uint32_t index : taken_next_hops_) {
      next_hops_.release(index);
    }
  }

  void commit() { committed_ = true; }

  // The pool's record after `spec` replaced what it was before (null: the pool is new).
  Result<PoolRecord> record_after(const PoolRecord* before, std::shared_ptr<const PoolSpec> spec) {
    PoolRecord record;
    if (before != nullptr) {
      record = *before;
    } else {
      const auto number = pool_numbers_.take();
      if (!number) {
        return fail(ErrorKind::kInvalid, fmt::format("more than {} pools", limits_.pools));
      }
      taken_pool_numbers_.push_back(*number);
      record.number = static_cast<uint16_t>(*number);
    }
    record.removed = false;
    record.spec = std::move(spec);
    record.views.clear();
    auto placed = place_backends(record);
    if (!placed) {
      return tl::unexpected(std::move(placed.error()).within("pool " + record.spec->name));
    }
    settle(record);
    return record;
  }

  Result<uint32_t> take_service_counter() {
    if (!gone_service_counters.empty()) {
      fresh_service_counters.push_back(gone_service_counters.back());
      gone_service_counters.pop_back();
      return fresh_service_counters.back();
    }
    const auto index = service_counters_.take();
    if (!index) {
      return fail(ErrorKind::kInvalid, fmt::format("more than {} services", limits_.services));
    }
    taken_service_counters_.push_back(*index);
    fresh_service_counters.push_back(*index);
    return *index;
  }

  std::vector<uint32_t> fresh_service_counters;
  std::vector<uint32_t> fresh_backend_counters;
  // Of services that end with this change: the first to be given out again, so that as many services
  // as there may be can all be replaced at once.
  std::vector<uint32_t> gone_service_counters;

 private:
  // A name that lives on with its address keeps its place; one that comes back while its place waits
  // to be freed gets it again; another address is another backend.
  Result<void> place_backends(PoolRecord& record) {
    std::map<std::string_view, const BackendSpec*> wanted;
    for (const BackendSpec& backend : record.spec->backends) {
      wanted.emplace(backend.name, &backend);
    }
    for (PlaceRecord& place : record.places) {
      if (place.life == PlaceRecord::Life::kVacant) {
        continue;
      }
      const auto match = wanted.find(place.name);
      if (match != wanted.end() && match->second->address == place.address) {
        place.life = PlaceRecord::Life::kLive;
        place.state = match->second->state;
        wanted.erase(match);
      } else if (place.life == PlaceRecord::Life::kLive) {
        place.life = PlaceRecord::Life::kRemoved;
        place.removed_in_round = PlaceRecord::kNotSeen;
      }
    }
    for (const auto& [name, backend] : wanted) {
      auto place = new_place(*backend);
      if (!place) {
        return tl::unexpected(std::move(place.error()).within("backend " + backend->name));
      }
      if (!put(record, *place)) {
        return fail(ErrorKind::kConflict,
                    "too many backends were removed a moment ago; try again in some seconds");
      }
    }
    return {};
  }

  static bool put(PoolRecord& record, const PlaceRecord& place) {
    for (PlaceRecord& old : record.places) {
      if (old.life == PlaceRecord::Life::kVacant) {
        old = place;
        return true;
      }
    }
    if (record.places.size() >= kMaxPlaces) {
      return false;
    }
    record.places.push_back(place);
    return true;
  }

  Result<PlaceRecord> new_place(const BackendSpec& backend) {
    PlaceRecord place;
    place.life = PlaceRecord::Life::kLive;
    place.name = backend.name;
    place.address = backend.address;
    place.state = backend.state;
    const auto counter = backend_counters_.take();
    if (!counter) {
      return fail(ErrorKind::kInvalid, fmt::format("more than {} backends", limits_.backends));
    }
    fresh_backend_counters.push_back(*counter);
    place.counter = *counter;
    for (const auto& [mode, index] : {std::pair{ForwardMode::kIpip, &place.next_hop_routed},
                                      std::pair{ForwardMode::kL2, &place.next_hop_direct}}) {
      const auto next_hop = next_hops_.acquire(backend.address, mode);
      if (!next_hop) {
        return tl::unexpected(next_hop.error());
      }
      taken_next_hops_.push_back(*next_hop);
      *index = *next_hop;
    }
    return place;
  }

  const Registry::Limits& limits_;
  NextHopSource& next_hops_;
  IndexPool& pool_numbers_;
  IndexPool& service_counters_;
  IndexPool& backend_counters_;
  std::vector<uint32_t> taken_pool_numbers_;
  std::vector<uint32_t> taken_service_counters_;
  std::vector<uint32_t> taken_next_hops_;
  bool committed_ = false;
};

// Bounds and names of the change by itself.
Result<void> validate_change(const Change& change);

Result<Records> pools_after(const Change& change, const Records& before, Transaction& transaction);
// `before` itself where the change gives none.
Result<std::shared_ptr<const Services>> services_after(const Change& change,
                                                       const std::shared_ptr<const Services>& before,
                                                       uint32_t& next_id, Transaction& transaction);
// Every service's pool is there.
Result<void> validate_references(const Services& services, const Records& pools);

}  // namespace maglb
