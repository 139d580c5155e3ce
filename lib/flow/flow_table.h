// One worker's tracked flows: digest -> entry. A bounded hash table of buckets of five places, a cache
// line each (flow_bucket.h). A digest may lie in either of two buckets; it lies in its first while that
// has room, so that most lookups touch one line. Where both are full, entries move to their other bucket
// to make room, over a bounded number of buckets.
//
// Memory: an array of buckets that the caller provides (hugepages of the worker's socket in the
// dataplane): 64 bytes for 5 places, 15.1 bytes a flow when 85 % of them are taken.
//
// Invariants:
//   1. A digest is in at most one place.
//   2. opening() <= capacity() / 2; opening entries give way to each other, and to nothing else does
//      an entry that is not opening give way: a flood of new flows never evicts an established one.
//   3. A place whose expiry is reached counts as empty for everyone.
//   4. A pass of the sweep counts only if no entry moved from where it had still to come to where it had
//      been: it has seen every entry then that was there when it began. Such a move is made only where
//      there is no other.
//
// Threads: one writer, the owner. Any thread may call find(), and read the counts. The writer makes a
// bucket's version odd, changes hands of a place, and makes it even again; a reader that sees it odd or
// changed reads again, a few times. A value that changes for the same flow is one store. A reader may
// miss an entry that is being written or moved; it never gets another flow's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "lib/flow/backend_flows.h"
#include "lib/flow/flow_bucket.h"

namespace maglb {

class FlowTable {
 public:
  using Bucket = FlowBucket;
  static constexpr size_t kPlaces = kBucketPlaces;

  // Buckets for at least `entries` places: a power of two, at least 2.
  static size_t buckets_for(size_t entries);

  // REQUIRES: buckets.size() is a power of two and at least 2; all empty; they outlive the table.
  explicit FlowTable(std::span<Bucket> buckets);
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  // From now on entries are counted by their backends there, too, and those that lapse; null: they are not.
  // Those that are in the table already are not counted. Owner only.
  void count_in(BackendFlows* flows) { backend_flows_ = flows; }

  // Any thread.
  std::optional<FlowEntry> find(const FlowDigest& digest, Tick now) const;
  size_t capacity() const { return buckets_.size() * kPlaces; }
  size_t size() const;  // places in use, expired ones not yet swept included
  size_t size(FlowState state) const {
    return count_[static_cast<size_t>(state)].load(std::memory_order_relaxed);
  }
  size_t opening() const { return size(FlowState::kOpening); }

  // The owner's own lookup, for the packet path: where the value of the digest lies, expired or not; null
  // if nowhere. Valid until the table is changed. `match`: one of match_tags_*().
  void prefetch(const FlowDigest& digest) const { __builtin_prefetch(&first_bucket(digest), 1); }
  template <typename Match>
  std::atomic<uint64_t>* probe(const FlowDigest& digest, Match match);

  // Inserts, or replaces the entry of the same digest. False: there is no room for it, or too many
  // are opening; nothing changed then. Owner only. REQUIRES: a backend that an entry can name
  // (kMaxPoolNumbers, kMaxPlaces).
  bool store(const FlowDigest& digest, const FlowEntry& entry, Tick now);
  // The same for a digest that probe() has just not found.
  bool insert(const FlowDigest& digest, const FlowEntry& entry, Tick now);
  // An entry that has expired is none, and an awaited one of those has lapsed. Owner only.
  void erase(const FlowDigest& digest, Tick now);

  // Whether entries may move behind the sweep where there is no other way (invariant 4); they may at first.
  // Not while a removed backend waits for passes that count: full buckets refuse a few flows then. Owner
  // only.
  void let_move_behind(bool may) { may_move_behind_ = may; }

  // Goes over the next `buckets` buckets, erases what is expired and every live entry of which
  // `keep(const FlowEntry&)` is false. True when that ended a pass that counts (invariant
  // 4); at most one pass ends in one call. Owner only.
  template <typename Keep>
  bool sweep(size_t buckets, Tick now, Keep keep);

  // visit(const FlowEntry&) for every entry that is not expired. Any thread; entries that change
  // meanwhile are seen or not: one that moves may be seen twice or, rarely, missed.
  template <typename Visit>
  void for_each(Tick now, Visit visit) const;

 private:
  struct Spot {
    Bucket* bucket = nullptr;
    size_t place = 0;
  };
  class Moves;

  // Above that nearly every way to a free place is a dead end, and a flood would have each of its packets
  // find that out.
  size_t most_for_moves() const { return capacity() - capacity() / 8; }
  size_t first_index(const FlowDigest& digest) const { return digest.place & mask_; }
  // Either bucket of an entry from the other: the tag chooses how far apart they are, never the same.
  size_t other_index(size_t index, uint32_t tag) const {
    return (index ^ ((tag * 0x9e3779b1ull >> 8) | 1)) & mask_;
  }
  Bucket& first_bucket(const FlowDigest& digest) const { return buckets_[first_index(digest)]; }
  Bucket& second_bucket(const FlowDigest& digest) const {
    return buckets_[other_index(first_index(digest), tag_of(digest))];
  }

  static std::optional<uint64_t> read(const Bucket& bucket, const FlowDigest& digest);
  Spot spot_of(const FlowDigest& digest) const;
  static std::optional<size_t> free_place(const Bucket& bucket, Tick now);
  Spot make_room(const FlowDigest& digest, Tick now);
  Spot opening_to_replace(const FlowDigest& digest, Tick now) const;
  bool insert_with_effort(const FlowDigest& digest, const FlowEntry& entry, bool may_add, Tick now);
  bool clear_opening_near(size_t index, Tick now);
  void put(const Spot& spot, const FlowDigest& digest, const FlowEntry& entry, Tick now);
  void write(const Spot& spot, uint32_t tag, uint64_t value);
  void clear(const Spot& spot, Tick now);
  void move(const Spot& from, const Spot& to);
  void count_overflow(Bucket& bucket, int change);
  void count(FlowState state, int change);
  void count(BackendId backend, int change) {
    if (backend_flows_ != nullptr) {
      backend_flows_->add(backend, change);
    }
  }

  // What any thread reads to look a flow up, and on other lines what the owner writes.
  alignas(64) std::span<Bucket> buckets_;
  uint64_t mask_;
  alignas(64) size_t sweep_position_ = 0;
  bool may_move_behind_ = true;
  bool moved_behind_ = false;  // in the pass under way
  std::atomic<size_t> count_[kFlowStates] = {};
  BackendFlows* backend_flows_ = nullptr;
};

template <typename Match>
inline std::atomic<uint64_t>* FlowTable::probe(const FlowDigest& digest, Match match) {
  const uint32_t tag = tag_of(digest);
  Bucket* bucket = &first_bucket(digest);
  for (bool is_second = false;; is_second = true) {
    for (uint32_t hits = match(*bucket, tag); hits != 0; hits &= hits - 1) {
      std::atomic<uint64_t>& value = bucket->values[std::countr_zero(hits)];
      if (FlowValue(value.load(std::memory_order_relaxed)).is_of(digest)) {
        return &value;
      }
    }
    if (is_second || (bucket->control.load(std::memory_order_relaxed) & 0xff) == 0) {
      return nullptr;
    }
    bucket = &second_bucket(digest);
  }
}

template <typename Keep>
bool FlowTable::sweep(size_t buckets, Tick now, Keep keep) {
  for (; buckets > 0; --buckets) {
    Bucket& bucket = buckets_[sweep_position_];
    for (size_t i = 0; i < kPlaces; ++i) {
      if (bucket.tags[i].load(std::memory_order_relaxed) == 0) {
        continue;
      }
      const FlowValue value(bucket.values[i].load(std::memory_order_relaxed));
      if (value.expires().reached(now) || !keep(value.entry())) {
        clear({&bucket, i}, now);
      }
    }
    if (++sweep_position_ == buckets_.size()) {
      sweep_position_ = 0;
      const bool counts = !moved_behind_;
      moved_behind_ = false;
      return counts;
    }
  }
  return false;
}

template <typename Visit>
void FlowTable::for_each(Tick now, Visit visit) const {
  for (const Bucket& bucket : buckets_) {
    for (size_t i = 0; i < kPlaces; ++i) {
      if (bucket.tags[i].load(std::memory_order_acquire) == 0) {
        continue;
      }
      const FlowValue value(bucket.values[i].load(std::memory_order_relaxed));
      if (!value.expires().reached(now)) {
        visit(value.entry());
      }
    }
  }
}

}  // namespace maglb
