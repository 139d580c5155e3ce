// One worker's tracked flows: digest -> entry. A bounded hash table of buckets of eight places; a
// digest may lie in either of two buckets.
//
// Memory: an array of buckets, 128 bytes each, that the caller provides (hugepages of the worker's
// socket in the dataplane). A place is two words:
//   digest  64 bits, 0 when the place is empty
//   value   backend place 16 | backend pool 16 | expiry tick 24 | state 2 | turn 6    (bit 0 first)
// The turn counts the flows that had the place.
//
// Invariants:
//   1. A digest is in at most one place.
//   2. opening() <= capacity() / 2; opening entries give way to each other, and to nothing else does
//      an entry that is not opening give way: a flood of new flows never evicts an established one.
//   3. A place whose expiry is reached counts as empty for everyone.
//
// Threads: one writer, the owner. Any thread may call find(), and read the counts. The writer empties a
// place before it writes another flow's value into it, and raises the turn with that value. A reader
// loads the value, the digest and the value again: where both values have the same turn, the digest
// between them was that turn's. (The digest on both sides of one value would not do: the flow may leave
// and come back while another has the place. Only 64 flows that take the place within one reading
// could deceive a reader.) A reader may miss an entry that is being written.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "lib/flow/flow_digest.h"
#include "lib/flow/flow_entry.h"

namespace maglb {

class FlowTable {
 public:
  static constexpr size_t kPlaces = 8;

  struct Place {
    std::atomic<uint64_t> digest{0};
    std::atomic<uint64_t> value{0};
  };
  struct alignas(64) Bucket {
    Place places[kPlaces];
  };
  static_assert(sizeof(Bucket) == 128);

  // Buckets for at least `entries` places: a power of two, at least 2.
  static size_t buckets_for(size_t entries);

  // REQUIRES: buckets.size() is a power of two and at least 2; all empty; they outlive the table.
  explicit FlowTable(std::span<Bucket> buckets);
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  // Any thread.
  std::optional<FlowEntry> find(FlowDigest digest, Tick now) const;
  void prefetch(FlowDigest digest) const;
  size_t capacity() const { return buckets_.size() * kPlaces; }
  size_t size() const;  // places in use, expired ones not yet swept included
  size_t size(FlowState state) const {
    return count_[static_cast<size_t>(state)].load(std::memory_order_relaxed);
  }
  size_t opening() const { return size(FlowState::kOpening); }

  // Inserts, or replaces the entry of the same digest. False: there is no room for it, or too many
  // are opening; nothing changed then. Owner only.
  bool store(FlowDigest digest, const FlowEntry& entry, Tick now);
  // Owner only.
  void erase(FlowDigest digest);

  // Goes over the next `buckets` buckets, erases what is expired and every live entry of which
  // `keep(const FlowEntry&)` is false. True when that ended a pass over the whole table; at most
  // one pass ends in one call. Owner only.
  template <typename Keep>
  bool sweep(size_t buckets, Tick now, Keep keep);

  // visit(const FlowEntry&) for every entry that is not expired. Any thread; entries that change
  // meanwhile are seen or not.
  template <typename Visit>
  void for_each(Tick now, Visit visit) const;

 private:
  // The turn's bits of a value, and one turn.
  static constexpr uint64_t kTurns = uint64_t{0x3f} << 58;
  static constexpr uint64_t kOneTurn = uint64_t{1} << 58;

  static uint64_t pack(const FlowEntry& entry, uint64_t turn);
  static FlowEntry unpack(uint64_t value);
  static uint64_t turn_of(uint64_t value) { return value & kTurns; }

  Bucket& first_bucket(FlowDigest digest) const { return buckets_[digest.value() & mask_]; }
  Bucket& second_bucket(FlowDigest digest) const;

  static std::optional<FlowEntry> read(const Place& place, FlowDigest digest, Tick now);
  Place* place_of(FlowDigest digest) const;
  Place* place_for_new(FlowDigest digest, bool may_add, Tick now);
  void write(Place& place, FlowDigest digest, const FlowEntry& entry);
  void clear(Place& place);
  void count(FlowState state, int change);

  std::span<Bucket> buckets_;
  uint64_t mask_;
  size_t sweep_position_ = 0;
  std::atomic<size_t> count_[kFlowStates] = {};
};

template <typename Keep>
bool FlowTable::sweep(size_t buckets, Tick now, Keep keep) {
  for (; buckets > 0; --buckets) {
    for (Place& place : buckets_[sweep_position_].places) {
      if (place.digest.load(std::memory_order_relaxed) == 0) {
        continue;
      }
      const FlowEntry entry = unpack(place.value.load(std::memory_order_relaxed));
      if (entry.expires.reached(now) || !keep(entry)) {
        clear(place);
      }
    }
    if (++sweep_position_ == buckets_.size()) {
      sweep_position_ = 0;
      return true;
    }
  }
  return false;
}

template <typename Visit>
void FlowTable::for_each(Tick now, Visit visit) const {
  for (const Bucket& bucket : buckets_) {
    for (const Place& place : bucket.places) {
      if (place.digest.load(std::memory_order_acquire) == 0) {
        continue;
      }
      const FlowEntry entry = unpack(place.value.load(std::memory_order_relaxed));
      if (!entry.expires.reached(now)) {
        visit(entry);
      }
    }
  }
}

}  // namespace maglb
