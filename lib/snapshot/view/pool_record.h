// A pool as the Registry keeps it: its number, its places, and the views made of it. A record is never
// changed in place: a change makes the next record from the one before, and the Registry keeps either.
//
// Invariants:
//   1. A place is never moved. Removed ones stay until no flow can name them.
//   2. No two live places have the same name.
//   3. has_removed and watched are what settle() makes of the rest: a change of one pool among a thousand
//      does not look at the places of the others.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <vector>

#include "lib/snapshot/view/forwarding_state.h"
#include "lib/snapshot/view/snapshot.h"

namespace maglb {

struct PlaceRecord {
  enum class Life : uint8_t { kVacant, kLive, kRemoved };

  Life life = Life::kVacant;
  std::string name;
  IpAddress address;
  uint32_t counter = 0;
  uint32_t next_hop_routed = 0;
  uint32_t next_hop_direct = 0;
  BackendState state = BackendState::kDown;
  // Removed: the sweeps' rounds when that was first seen, kNotSeen before.
  static constexpr uint64_t kNotSeen = ~uint64_t{0};
  uint64_t removed_in_round = kNotSeen;
};

struct PoolRecord {
  uint16_t number = 0;
  bool removed = false;  // all places are removed or vacant, and no snapshot shows the pool
  bool keep_on_failure = false;
  bool has_removed = false;  // a place waits until no flow can name it
  bool watched = false;      // its flows matter to a choice: its scheduler looks at them, or they are bounded
  std::shared_ptr<const PoolSpec> spec;  // as last applied
  std::vector<PlaceRecord> places;
  std::vector<std::shared_ptr<const PoolView>> views;  // one a socket; empty when removed
};

// To be called when places or the spec have changed.
void settle(PoolRecord& record);
// From now on flows of removed backends are no longer kept: the sweeps that erase them are still to come.
void wait_anew(PoolRecord& record);

// The record's view in `memory`. REQUIRES: validate() has passed the spec, and every backend of it has a
// live place.
std::shared_ptr<const PoolView> view_of(const PoolRecord& record, std::pmr::memory_resource* memory);

}  // namespace maglb
