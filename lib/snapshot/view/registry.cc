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
#include "lib/snapshot/view/validate.h"

namespace maglb {
namespace {

using RecordPtr = std::shared_ptr<const PoolRecord>;
using Records = std::map<std::string, RecordPtr, std::less<>>;

struct ServiceRecord {
  ServiceSpec spec;
  uint32_t id = 0;
  uint32_t counter = 0;

  using Identity = std::tuple<std::string, IpAddress, Protocol, uint16_t>;
  static Identity identity_of(const ServiceSpec& spec) {
    return {spec.name, spec.address, spec.protocol, spec.port};
  }
};
using Services = std::map<ServiceRecord::Identity, ServiceRecord>;

}  // namespace

struct Registry::State {
  State(Limits the_limits, NextHopSource& source, std::vector<std::pmr::memory_resource*> the_sockets)
      : limits(the_limits),
        next_hops(source),
        sockets(std::move(the_sockets)),
        pool_numbers(std::min<uint32_t>(limits.pools, 65535)),
        service_counters(limits.services),
        backend_counters(limits.backends) {}

  Limits limits;
  NextHopSource& next_hops;
  std::vector<std::pmr::memory_resource*> sockets;

  uint64_t generation = 0;
  uint32_t next_service_id = 1;
  Records pools;  // removed ones too, until they are collected
  Services services;
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
    return record;
  }

  void give_back(const PlaceRecord& place) {
    backend_counters.give_back(place.counter);
    next_hops.release(place.next_hop_routed);
    next_hops.release(place.next_hop_direct);
  }
};

namespace {

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
    if (record.places.size() >= kNoBackend) {
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

// The record of a pool that is no more: its places wait for their flows to go.
PoolRecord removed_record(const PoolRecord& before) {
  PoolRecord record = before;
  record.removed = true;
  record.views.clear();
  for (PlaceRecord& place : record.places) {
    if (place.life == PlaceRecord::Life::kLive) {
      place.life = PlaceRecord::Life::kRemoved;
      place.removed_in_round = PlaceRecord::kNotSeen;
    }
  }
  return record;
}

bool has_removed_places(const PoolRecord& record) {
  return std::any_of(record.places.begin(), record.places.end(),
                     [](const PlaceRecord& place) { return place.life == PlaceRecord::Life::kRemoved; });
}

Result<void> validate_change(const Change& change) {
  if (change.generation == 0) {
    return fail(ErrorKind::kInvalid, "generation 0 stands for none");
  }
  std::set<std::string_view> names;
  for (const auto& pool : change.pools) {
    if (pool == nullptr || !names.insert(pool->name).second) {
      return fail(ErrorKind::kInvalid, "a pool is there twice, or empty");
    }
    if (auto valid = validate(*pool); !valid) {
      return valid;
    }
  }
  for (const std::string& name : change.removed_pools) {
    if (!names.insert(name).second) {
      return fail(ErrorKind::kInvalid, "pool " + name + " is both given and removed");
    }
  }
  std::set<std::string_view> service_names;
  std::set<std::tuple<IpAddress, Protocol, uint16_t>> targets;
  for (const ServiceSpec& service : change.services.value_or(std::vector<ServiceSpec>{})) {
    if (auto valid = validate(service); !valid) {
      return valid;
    }
    if (!service_names.insert(service.name).second ||
        !targets.insert({service.address, service.protocol, service.port}).second) {
      return fail(ErrorKind::kInvalid,
                  fmt::format("service {}: its name or its address, protocol and port are "
                              "another service's too",
                              service.name));
    }
  }
  return {};
}

// A change that is the whole state gives all services, also when it has none.
bool gives_services(const Change& change) {
  return change.services || change.base_generation == 0;
}

Result<Records> pools_after(const Change& change, const Records& before, Transaction& transaction) {
  Records pools = before;
  std::set<std::string_view> given;
  for (const auto& spec : change.pools) {
    given.insert(spec->name);
    const auto old = pools.find(spec->name);
    if (old != pools.end() && !old->second->removed && *old->second->spec == *spec) {
      continue;
    }
    auto record = transaction.record_after(old == pools.end() ? nullptr : old->second.get(), spec);
    if (!record) {
      return tl::unexpected(record.error());
    }
    pools.insert_or_assign(spec->name, std::make_shared<const PoolRecord>(std::move(*record)));
  }
  const std::set<std::string_view> removed(change.removed_pools.begin(), change.removed_pools.end());
  const bool whole = change.base_generation == 0;
  for (auto& [name, record] : pools) {
    if (!record->removed && (removed.contains(name) || (whole && !given.contains(name)))) {
      record = std::make_shared<const PoolRecord>(removed_record(*record));
    }
  }
  return pools;
}

std::vector<uint32_t> counters_of_gone(const Change& change, const Services& before) {
  std::set<ServiceRecord::Identity> after;
  for (const ServiceSpec& spec : change.services.value_or(std::vector<ServiceSpec>{})) {
    after.insert(ServiceRecord::identity_of(spec));
  }
  std::vector<uint32_t> counters;
  for (const auto& [identity, service] : before) {
    if (!after.contains(identity)) {
      counters.push_back(service.counter);
    }
  }
  return counters;
}

Result<Services> services_after(const Change& change, const Services& before, uint32_t& next_id,
                                Transaction& transaction) {
  if (!gives_services(change)) {
    return before;
  }
  Services services;
  transaction.gone_service_counters = counters_of_gone(change, before);
  for (const ServiceSpec& spec : change.services.value_or(std::vector<ServiceSpec>{})) {
    const auto identity = ServiceRecord::identity_of(spec);
    const auto old = before.find(identity);
    ServiceRecord record = old == before.end() ? ServiceRecord{} : old->second;
    record.spec = spec;
    if (record.id == 0) {
      const auto counter = transaction.take_service_counter();
      if (!counter) {
        return tl::unexpected(counter.error());
      }
      record.id = next_id++;
      record.counter = *counter;
    }
    services.emplace(identity, std::move(record));
  }
  return services;
}

Result<void> validate_references(const Services& services, const Records& pools) {
  for (const auto& [identity, service] : services) {
    const auto pool = pools.find(service.spec.pool);
    if (pool == pools.end() || pool->second->removed) {
      return fail(ErrorKind::kInvalid,
                  fmt::format("service {}: there is no pool {}", service.spec.name, service.spec.pool));
    }
  }
  return {};
}

std::set<std::string_view> pools_that_keep(const Services& services) {
  std::set<std::string_view> names;
  for (const auto& [identity, service] : services) {
    if (service.spec.keep_on_failure) {
      names.insert(service.spec.pool);
    }
  }
  return names;
}

// Views for the records that have none yet, and for those whose services changed their mind on what a
// failed backend's flows do.
void build_views(Records& pools, const Services& services,
                 const std::vector<std::pmr::memory_resource*>& sockets) {
  const std::set<std::string_view> keeping = pools_that_keep(services);
  for (auto& [name, record] : pools) {
    const bool keep = keeping.contains(name);
    if (record->removed || (!record->views.empty() && record->keep_on_failure == keep)) {
      continue;
    }
    PoolRecord next = *record;
    next.keep_on_failure = keep;
    next.views.clear();
    for (std::pmr::memory_resource* memory : sockets) {
      next.views.push_back(view_of(next, memory));
    }
    record = std::make_shared<const PoolRecord>(std::move(next));
  }
}

std::shared_ptr<const ServiceIndex> index_of(const Services& services, const Records& pools,
                                             std::pmr::memory_resource* memory) {
  const auto index =
      std::allocate_shared<ServiceIndex>(std::pmr::polymorphic_allocator<ServiceIndex>(memory), memory);
  for (const auto& [identity, service] : services) {
    const ServiceSpec& spec = service.spec;
    ServiceView view;
    view.id = service.id;
    view.counter = service.counter;
    view.pool = pools.find(spec.pool)->second->number;
    view.forward = spec.forward;
    view.keep_on_failure = spec.keep_on_failure;
    view.track_flows = spec.track_flows;
    view.opening_timeout = spec.opening_timeout;
    view.established_timeout = spec.established_timeout;
    view.closing_timeout = spec.closing_timeout;
    view.udp_timeout = spec.udp_timeout;
    check(index->add(spec.address, spec.protocol, Be16(spec.port), view), "services were checked to differ");
  }
  return index;
}

std::unique_ptr<const Snapshot> snapshot_of(uint64_t generation, std::shared_ptr<const ServiceIndex> index,
                                            const Records& records, size_t socket,
                                            std::pmr::memory_resource* memory) {
  Snapshot::Pools pools(memory);
  for (const auto& [name, record] : records) {
    if (!record->removed) {
      pools.resize(std::max<size_t>(pools.size(), record->number + size_t{1}));
      pools[record->number] = record->views[socket];
    }
  }
  return std::make_unique<Snapshot>(generation, std::move(index), std::move(pools));
}

}  // namespace

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
  auto services = services_after(change, state.services, next_service_id, transaction);
  if (!services) {
    return tl::unexpected(services.error());
  }
  if (auto valid = validate_references(*services, *pools); !valid) {
    return tl::unexpected(valid.error());
  }
  build_views(*pools, *services, state.sockets);

  // An index names pools by number, and only a change that gives services can change those of a pool
  // that one uses.
  auto indexes = state.indexes;
  Applied applied;
  for (size_t socket = 0; socket < state.sockets.size(); ++socket) {
    if (gives_services(change)) {
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
  state.services = std::move(*services);
  state.indexes = std::move(indexes);
  state.next_service_id = next_service_id;
  state.generation = change.generation;
  return applied;
} catch (const std::bad_alloc&) {
  return fail(ErrorKind::kSystem, "no memory for the new tables; the running state stays");
}

uint64_t Registry::generation() const {
  return state_->generation;
}

std::vector<Registry::CountedService> Registry::services() const {
  std::vector<CountedService> list;
  for (const auto& [identity, service] : state_->services) {
    list.push_back({service.spec.name, service.counter});
  }
  return list;
}

std::vector<Registry::CountedBackend> Registry::backends() const {
  std::set<std::string_view> direct_only;
  for (const auto& [identity, service] : state_->services) {
    if (service.spec.forward == ForwardMode::kL2) {
      direct_only.insert(service.spec.pool);
    }
  }
  for (const auto& [identity, service] : state_->services) {
    if (service.spec.forward != ForwardMode::kL2) {
      direct_only.erase(service.spec.pool);
    }
  }
  std::vector<CountedBackend> list;
  for (const auto& [name, record] : state_->pools) {
    for (const PlaceRecord& place : record->places) {
      if (place.life == PlaceRecord::Life::kLive) {
        list.push_back({name, place.name, place.counter,
                        direct_only.contains(name) ? place.next_hop_direct : place.next_hop_routed});
      }
    }
  }
  return list;
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
  for (const auto& [identity, service] : state_->services) {
    if (service.id == service_id) {
      return service.spec.name;
    }
  }
  return std::nullopt;
}

void Registry::collect(uint64_t rounds, const std::function<bool(BackendId)>& in_use) {
  State& state = *state_;
  for (auto at = state.pools.begin(); at != state.pools.end();) {
    if (has_removed_places(*at->second)) {
      at->second = std::make_shared<const PoolRecord>(state.collected(*at->second, rounds, in_use));
    }
    if (at->second->removed && !has_removed_places(*at->second)) {
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
