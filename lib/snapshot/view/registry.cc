#include "lib/snapshot/view/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <new>
#include <set>
#include <tuple>

#include "lib/base/check.h"
#include "lib/snapshot/view/index_pool.h"
#include "lib/snapshot/view/pool_record.h"
#include "lib/snapshot/view/registry_build.h"
#include "lib/snapshot/view/registry_change.h"

namespace maglb {
struct Registry::State {
  State(Limits the_limits, NextHopSource& source, std::vector<std::pmr::memory_resource*> the_sockets)
      : limits(the_limits),
        next_hops(source),
        sockets(std::move(the_sockets)),
        pool_numbers(std::min(limits.pools, kMaxPoolNumbers)),
        service_counters(limits.services),
        backend_counters(limits.backends) {}

  Limits limits;
  NextHopSource& next_hops;
  std::vector<std::pmr::memory_resource*> sockets;

  uint64_t generation = 0;
  uint32_t next_service_id = 1;
  Records pools;  // removed ones too, until they are collected
  std::shared_ptr<const Services> services = std::make_shared<const Services>();
  std::vector<std::shared_ptr<const ServiceIndex>> indexes;  // one a socket

  IndexPool pool_numbers;
  IndexPool service_counters;
  IndexPool backend_counters;

  // The record without the removed places that no flow can name any more.
  PoolRecord collected(PoolRecord record, uint64_t rounds, const std::function<bool(BackendId)>& in_use) {
    for (size_t i = 0; i < record.places.size(); ++i) {
      PlaceRecord& place = record.places[i];
      if (place.life != PlaceRecord::Life::kRemoved) {
        continue;
      }
      if (place.removed_in_round == PlaceRecord::kNotSeen) {
        place.removed_in_round = rounds;
      } else if (rounds >= place.removed_in_round + 2 && !in_use({record.number, static_cast<uint16_t>(i)})) {
        give_back(place);
        place = PlaceRecord{};
      }
    }
    settle(record);
    return record;
  }

  void give_back(const PlaceRecord& place) {
    backend_counters.give_back(place.counter);
    next_hops.release(place.next_hop_routed);
    next_hops.release(place.next_hop_direct);
  }
};

Registry::Registry(Limits limits, NextHopSource& next_hops, std::vector<std::pmr::memory_resource*> sockets)
    : state_(std::make_unique<State>(limits, next_hops, std::move(sockets))) {
  check(!state_->sockets.empty(), "there is a socket");
  for (std::pmr::memory_resource* memory : state_->sockets) {
    state_->indexes.push_back(index_of({}, {}, memory));
  }
}

Registry::~Registry() {
  for (const auto& [name, record] : state_->pools) {
    for (const PlaceRecord& place : record->places) {
      if (place.life != PlaceRecord::Life::kVacant) {
        state_->give_back(place);
      }
    }
  }
}

Result<Registry::Applied> Registry::apply(const Change& change) try {
  State& state = *state_;
  if (change.base_generation != 0 && change.base_generation != state.generation) {
    return fail(ErrorKind::kConflict, fmt::format("the change is on top of generation {}, and {} runs here",
                                                  change.base_generation, state.generation));
  }
  if (auto valid = validate_change(change); !valid) {
    return tl::unexpected(valid.error());
  }
  Transaction transaction(state.limits, state.next_hops, state.pool_numbers, state.service_counters,
                          state.backend_counters);
  auto pools = pools_after(change, state.pools, transaction);
  if (!pools) {
    return tl::unexpected(pools.error());
  }
  uint32_t next_service_id = state.next_service_id;
  auto made = services_after(change, state.services, next_service_id, transaction);
  if (!made) {
    return tl::unexpected(made.error());
  }
  std::shared_ptr<const Services> services = *std::move(made);
  if (auto valid = validate_references(*services, *pools); !valid) {
    return tl::unexpected(valid.error());
  }
  build_views(*pools, *services, state.sockets);

  // An index names pools by number, and only a change that gives services can change those of a pool
  // that one uses.
  auto indexes = state.indexes;
  Applied applied;
  for (size_t socket = 0; socket < state.sockets.size(); ++socket) {
    if (change.gives_services()) {
      indexes[socket] = index_of(*services, *pools, state.sockets[socket]);
    }
    applied.snapshots.push_back(
        snapshot_of(change.generation, indexes[socket], *pools, socket, state.sockets[socket]));
  }
  applied.fresh_service_counters = transaction.fresh_service_counters;
  applied.fresh_backend_counters = transaction.fresh_backend_counters;

  // From here on nothing can fail.
  transaction.commit();
  for (const uint32_t index : transaction.gone_service_counters) {
    state.service_counters.give_back(index);
  }
  state.pools = std::move(*pools);
  state.services = std::move(services);
  state.indexes = std::move(indexes);
  state.next_service_id = next_service_id;
  state.generation = change.generation;
  return applied;
} catch (const std::bad_alloc&) {
  return fail(ErrorKind::kSystem, "no memory for the new tables; the running state stays");
}

const Registry::Limits& Registry::limits() const {
  return state_->limits;
}

uint64_t Registry::generation() const {
  return state_->generation;
}

std::vector<Registry::CountedService> Registry::services() const {
  std::vector<CountedService> list;
  for (const auto& [identity, service] : *state_->services) {
    list.push_back({service.spec.name, service.counter});
  }
  return list;
}

std::vector<Registry::CountedPool> Registry::counted_pools() const {
  std::set<std::string_view> direct_only;
  for (const auto& [identity, service] : *state_->services) {
    if (service.spec.forward == ForwardMode::kL2) {
      direct_only.insert(service.spec.pool);
    }
  }
  for (const auto& [identity, service] : *state_->services) {
    if (service.spec.forward != ForwardMode::kL2) {
      direct_only.erase(service.spec.pool);
    }
  }
  std::vector<CountedPool> list;
  for (const auto& [name, record] : state_->pools) {
    if (!record->removed) {
      list.push_back({name, record, direct_only.contains(name)});
    }
  }
  return list;
}

std::vector<Registry::CountedBackend> Registry::backends() const {
  std::vector<CountedBackend> list;
  for (const CountedPool& pool : counted_pools()) {
    for (const PlaceRecord& place : pool.record->places) {
      if (place.life == PlaceRecord::Life::kLive) {
        list.push_back({pool.name, place.name, place.counter,
                        pool.direct_only ? place.next_hop_direct : place.next_hop_routed,
                        pool.record->spec->passive});
      }
    }
  }
  return list;
}

std::vector<uint32_t> Registry::watched_counters() const {
  std::vector<uint32_t> counters;
  for (const auto& [name, record] : state_->pools) {
    if (!record->watched) {
      continue;
    }
    for (const PlaceRecord& place : record->places) {
      if (place.life == PlaceRecord::Life::kLive) {
        counters.push_back(place.counter);
      }
    }
  }
  return counters;
}

std::optional<Registry::BackendName> Registry::name_of(BackendId id) const {
  for (const auto& [name, record] : state_->pools) {
    if (record->number == id.pool && id.place < record->places.size() &&
        record->places[id.place].life == PlaceRecord::Life::kLive) {
      return BackendName{name, record->places[id.place].name};
    }
  }
  return std::nullopt;
}

std::optional<std::string> Registry::service_name(uint32_t service_id) const {
  for (const auto& [identity, service] : *state_->services) {
    if (service.id == service_id) {
      return service.spec.name;
    }
  }
  return std::nullopt;
}

void Registry::collect(uint64_t rounds, const std::function<bool(BackendId)>& in_use) {
  State& state = *state_;
  for (auto at = state.pools.begin(); at != state.pools.end();) {
    if (at->second->has_removed) {
      at->second = std::make_shared<const PoolRecord>(state.collected(*at->second, rounds, in_use));
    }
    if (at->second->removed && !at->second->has_removed) {
      state.pool_numbers.give_back(at->second->number);
      at = state.pools.erase(at);
    } else {
      ++at;
    }
  }
}

size_t Registry::quarantined() const {
  size_t count = 0;
  for (const auto& [name, record] : state_->pools) {
    for (const PlaceRecord& place : record->places) {
      count += place.life == PlaceRecord::Life::kRemoved ? 1 : 0;
    }
  }
  return count;
}

}  // namespace maglb
