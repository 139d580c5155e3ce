#include "lib/snapshot/view/pool_record.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace maglb {
namespace {

std::vector<uint16_t> places_by_backend(const PoolRecord& record) {
  std::unordered_map<std::string_view, uint16_t> by_name;
  for (size_t place = 0; place < record.places.size(); ++place) {
    if (record.places[place].life == PlaceRecord::Life::kLive) {
      by_name.emplace(record.places[place].name, static_cast<uint16_t>(place));
    }
  }
  std::vector<uint16_t> places;
  for (const BackendSpec& backend : record.spec->backends) {
    places.push_back(by_name.at(backend.name));
  }
  return places;
}

PlaceState state_of(const PlaceRecord& place) {
  switch (place.life) {
    case PlaceRecord::Life::kVacant:
      return PlaceState::kVacant;
    case PlaceRecord::Life::kRemoved:
      return PlaceState::kRemoved;
    case PlaceRecord::Life::kLive:
      break;
  }
  switch (place.state) {
    case BackendState::kUp:
      return PlaceState::kUp;
    case BackendState::kDrain:
      return PlaceState::kDrain;
    case BackendState::kUnhealthy:
      return PlaceState::kUnhealthy;
    case BackendState::kDown:
      return PlaceState::kDown;
  }
  return PlaceState::kDown;
}

std::vector<std::pair<std::string, uint16_t>> server_ids_of(const PoolSpec& spec,
                                                            const std::vector<uint16_t>& places) {
  std::vector<std::pair<std::string, uint16_t>> ids;
  for (size_t i = 0; i < spec.backends.size(); ++i) {
    for (const std::string& id : spec.backends[i].server_ids) {
      ids.emplace_back(id, places[i]);
    }
  }
  return ids;
}

// Who is in the table, and so up: a backend that fails its probes too, in the last table left.
Candidates candidates_of(const PoolSpec& spec, const std::vector<uint16_t>& places,
                         const std::vector<uint8_t>& is_named, std::pmr::memory_resource* memory) {
  std::vector<Candidate> members;
  for (size_t i = 0; i < places.size(); ++i) {
    if (is_named[i] != 0) {
      members.push_back({places[i], std::max(spec.backends[i].weight, 1u)});
    }
  }
  return Candidates(spec.scheduler, members, memory);
}

void set_bounds(const PoolSpec& spec, const std::vector<uint16_t>& places, PoolView& view) {
  for (size_t i = 0; i < places.size(); ++i) {
    if (spec.backends[i].max_connections != 0) {
      view.max_flows.resize(view.backends.size());
      view.max_flows[places[i]] = spec.backends[i].max_connections;
    }
  }
}

}  // namespace

void settle(PoolRecord& record) {
  record.has_removed = std::any_of(record.places.begin(), record.places.end(), [](const PlaceRecord& place) {
    return place.life == PlaceRecord::Life::kRemoved;
  });
  record.watched = looks_at_flows(record.spec->scheduler) ||
                   std::any_of(record.spec->backends.begin(), record.spec->backends.end(),
                               [](const BackendSpec& backend) { return backend.max_connections != 0; });
}

void wait_anew(PoolRecord& record) {
  for (PlaceRecord& place : record.places) {
    place.removed_in_round = PlaceRecord::kNotSeen;
  }
}

std::shared_ptr<const PoolView> view_of(const PoolRecord& record, std::pmr::memory_resource* memory) {
  const auto view = std::allocate_shared<PoolView>(std::pmr::polymorphic_allocator<PoolView>(memory), memory);
  view->number = record.number;
  view->keep_on_failure = record.keep_on_failure;
  view->is_passive = record.spec->passive;
  view->selection = SelectionHash(record.spec->seed);
  view->backends.reserve(record.places.size());
  for (const PlaceRecord& place : record.places) {
    view->backends.push_back(
        {place.address, place.next_hop_routed, place.next_hop_direct, place.counter, state_of(place)});
  }
  const std::vector<uint16_t> places = places_by_backend(record);
  view->server_ids = ServerIds(server_ids_of(*record.spec, places), memory);
  view->scheduler = record.spec->scheduler;
  view->source_length_v4 = static_cast<uint8_t>(IpPrefix::kV4Offset + record.spec->source_prefix_v4);
  view->source_length_v6 = record.spec->source_prefix_v6;
  set_bounds(*record.spec, places, *view);
  const std::vector<uint16_t>& slots = record.spec->slots;
  if (slots.empty() || slots.front() == kNoBackend) {
    view->slots.assign(slots.begin(), slots.end());
    return view;
  }
  std::vector<uint8_t> is_named(places.size());
  view->slots.resize(slots.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    view->slots[i] = places[slots[i]];
    is_named[slots[i]] = 1;
  }
  // A table that names a backend that fails its probes is the last one left: it is served as it is.
  for (size_t backend = 0; backend < places.size(); ++backend) {
    PlaceState& state = view->backends[places[backend]].state;
    if (is_named[backend] != 0 && state == PlaceState::kUnhealthy) {
      state = PlaceState::kUp;
    }
  }
  if (!view->goes_by_table()) {
    view->candidates = candidates_of(*record.spec, places, is_named, memory);
  }
  return view;
}

}  // namespace maglb
