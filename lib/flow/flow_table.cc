#include "lib/flow/flow_table.h"

#include <array>

#include "lib/base/check.h"

namespace maglb {
namespace {

constexpr uint32_t kOverflowMask = 0xff;
constexpr uint32_t kOneVersion = 0x100;

}  // namespace

size_t FlowTable::buckets_for(size_t entries) {
  const size_t buckets = (entries + kPlaces - 1) / kPlaces;
  return std::bit_ceil(buckets < 2 ? size_t{2} : buckets);
}

FlowTable::FlowTable(std::span<Bucket> buckets) : buckets_(buckets), mask_(buckets.size() - 1) {
  check(buckets.size() >= 2 && std::has_single_bit(buckets.size()), "a power of two of buckets");
}

size_t FlowTable::size() const {
  size_t sum = 0;
  for (const auto& count : count_) {
    sum += count.load(std::memory_order_relaxed);
  }
  return sum;
}

std::optional<FlowEntry> FlowTable::find(const FlowDigest& digest, Tick now) const {
  for (const Bucket* bucket : {&first_bucket(digest), &second_bucket(digest)}) {
    if (const auto value = read(*bucket, digest)) {
      const FlowEntry entry = FlowValue(*value).entry();
      return entry.expires.reached(now) ? std::nullopt : std::optional(entry);
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> FlowTable::read(const Bucket& bucket, const FlowDigest& digest) {
  constexpr int kAttempts = 8;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    // Pairs with the release in write(): who sees an even version sees what was written before it.
    const uint32_t before = bucket.control.load(std::memory_order_acquire) / kOneVersion;
    std::optional<uint64_t> found;
    for (uint32_t hits = match_tags_portable(bucket, tag_of(digest)); hits != 0; hits &= hits - 1) {
      const uint64_t value = bucket.values[std::countr_zero(hits)].load(std::memory_order_relaxed);
      if (FlowValue(value).is_of(digest)) {
        found = value;
      }
    }
    // Pairs with the fence in write(): who saw a part of a change sees the odd version in front of it.
    std::atomic_thread_fence(std::memory_order_acquire);
    const uint32_t after = bucket.control.load(std::memory_order_relaxed) / kOneVersion;
    if (before == after && before % 2 == 0) {
      return found;
    }
  }
  return std::nullopt;
}

FlowTable::Spot FlowTable::spot_of(const FlowDigest& digest) const {
  for (Bucket* bucket : {&first_bucket(digest), &second_bucket(digest)}) {
    for (uint32_t hits = match_tags_portable(*bucket, tag_of(digest)); hits != 0; hits &= hits - 1) {
      const auto place = static_cast<size_t>(std::countr_zero(hits));
      if (FlowValue(bucket->values[place].load(std::memory_order_relaxed)).is_of(digest)) {
        return {bucket, place};
      }
    }
  }
  return {};
}

// Empty, or expired. An expired opening entry counts among the opening ones until it is cleared, which
// whoever takes the place does.
std::optional<size_t> FlowTable::free_place(const Bucket& bucket, Tick now) {
  for (size_t i = 0; i < kPlaces; ++i) {
    if (bucket.tags[i].load(std::memory_order_relaxed) == 0 ||
        FlowValue(bucket.values[i].load(std::memory_order_relaxed)).expires().reached(now)) {
      return i;
    }
  }
  return std::nullopt;
}

// The way to a free place, found breadth first: each step is a bucket that an entry of the bucket before
// could move to.
class FlowTable::Moves {
 public:
  // `behind`: also to where the sweep of this pass has been; the pass does not count then.
  Moves(FlowTable& table, Tick now, bool behind) : table_(table), now_(now), behind_(behind) {}

  Spot make_room(const FlowDigest& digest) {
    add(table_.first_index(digest), kNone, 0);
    add(table_.other_index(table_.first_index(digest), tag_of(digest)), kNone, 0);
    for (size_t at = 0; at < size_; ++at) {
      for (size_t place = 0; place < kPlaces; ++place) {
        const Bucket& bucket = table_.buckets_[steps_[at].index];
        const size_t to =
            table_.other_index(steps_[at].index, bucket.tags[place].load(std::memory_order_relaxed));
        if (!may_move(steps_[at].index, to)) {
          continue;
        }
        if (const auto free = free_place(table_.buckets_[to], now_)) {
          return move_along(at, place, {&table_.buckets_[to], *free});
        }
        add(to, at, place);
      }
    }
    return {};
  }

 private:
  static constexpr size_t kNone = ~size_t{0};
  // Bounds what one insertion looks at: the ten buckets that its two lead to, and the fifty behind those.
  static constexpr size_t kMost = 2 + 2 * kPlaces;
  struct Step {
    size_t index;   // of the bucket
    size_t parent;  // the step before
    size_t place;   // whose entry of that bucket would come here
  };

  void add(size_t index, size_t parent, size_t place) {
    if (size_ < kMost) {
      steps_[size_++] = {index, parent, place};
    }
  }

  // Invariant 4.
  bool may_move(size_t from, size_t to) const { return behind_ || !goes_behind(from, to); }
  bool goes_behind(size_t from, size_t to) const {
    return from >= table_.sweep_position_ && to < table_.sweep_position_;
  }

  // The last entry moves first, so that every entry is somewhere at any time. An entry that another step
  // of the same way has moved meanwhile is no longer there: then the way ends where it got to.
  Spot move_along(size_t at, size_t place, Spot free) {
    for (;;) {
      const Spot from{&table_.buckets_[steps_[at].index], place};
      const uint32_t tag = from.bucket->tags[place].load(std::memory_order_relaxed);
      if (tag == 0 || &table_.buckets_[table_.other_index(steps_[at].index, tag)] != free.bucket) {
        return {};
      }
      const auto to = static_cast<size_t>(free.bucket - table_.buckets_.data());
      table_.moved_behind_ |= goes_behind(steps_[at].index, to);
      table_.clear(free, now_);
      table_.move(from, free);
      free = from;
      if (steps_[at].parent == kNone) {
        return free;
      }
      place = steps_[at].place;
      at = steps_[at].parent;
    }
  }

  FlowTable& table_;
  Tick now_;
  bool behind_;
  std::array<Step, kMost> steps_;
  size_t size_ = 0;
};

FlowTable::Spot FlowTable::make_room(const FlowDigest& digest, Tick now) {
  for (Bucket* bucket : {&first_bucket(digest), &second_bucket(digest)}) {
    if (const auto place = free_place(*bucket, now)) {
      return {bucket, *place};
    }
  }
  if (size() > most_for_moves()) {
    return {};
  }
  const Spot spot = Moves(*this, now, false).make_room(digest);
  return spot.bucket != nullptr || !may_move_behind_ ? spot : Moves(*this, now, true).make_room(digest);
}

// The opening entry of either bucket that would expire first. Under a flood many expire at the same tick: of
// those in one bucket it is the one written longest ago, and of two buckets that of the one with more of
// them, whose oldest is older, so that a client's outlives its round trip.
FlowTable::Spot FlowTable::opening_to_replace(const FlowDigest& digest, Tick now) const {
  Spot spot;
  Duration least_left = Duration::max();
  size_t most_opening = 0;
  for (Bucket* bucket : {&first_bucket(digest), &second_bucket(digest)}) {
    const size_t oldest = bucket->control.load(std::memory_order_relaxed) / kOneVersion / 2 % kPlaces;
    Spot here;
    Duration left_here = Duration::max();
    size_t opening_here = 0;
    for (size_t step = 0; step < kPlaces; ++step) {
      const size_t i = (oldest + step) % kPlaces;
      const FlowValue value(bucket->values[i].load(std::memory_order_relaxed));
      if (bucket->tags[i].load(std::memory_order_relaxed) == 0 || value.state() != FlowState::kOpening) {
        continue;
      }
      ++opening_here;
      if (value.expires().left(now) < left_here) {
        here = {bucket, i};
        left_here = value.expires().left(now);
      }
    }
    if (left_here < least_left || (left_here == least_left && opening_here > most_opening)) {
      spot = here;
      least_left = left_here;
      most_opening = opening_here;
    }
  }
  return spot;
}

// Both buckets of a flow may be without an opening entry though the table has its fill of them: one of a
// bucket nearby gives way then. Where a bucket lies says nothing of its flows, so it is anyone's.
bool FlowTable::clear_opening_near(size_t index, Tick now) {
  constexpr size_t kLook = 8;
  for (size_t step = 1; step <= kLook; ++step) {
    Bucket& bucket = buckets_[(index + step) & mask_];
    for (size_t i = 0; i < kPlaces; ++i) {
      if (bucket.tags[i].load(std::memory_order_relaxed) != 0 &&
          FlowValue(bucket.values[i].load(std::memory_order_relaxed)).state() == FlowState::kOpening) {
        clear({&bucket, i}, now);
        return true;
      }
    }
  }
  return false;
}

bool FlowTable::store(const FlowDigest& digest, const FlowEntry& entry, Tick now) {
  const Spot spot = spot_of(digest);
  if (spot.bucket == nullptr) {
    return insert(digest, entry, now);
  }
  const FlowValue before(spot.bucket->values[spot.place].load(std::memory_order_relaxed));
  if (before.expires().reached(now)) {
    clear(spot, now);  // as good as empty: the flow begins anew
    return insert(digest, entry, now);
  }
  const bool one_more_opens = entry.state == FlowState::kOpening && before.state() != FlowState::kOpening;
  if (one_more_opens && opening() >= capacity() / 2) {
    return false;
  }
  count(before.state(), -1);
  count(entry.state, 1);
  if (before.entry().backend != entry.backend) {
    count(before.entry().backend, -1);
    count(entry.backend, 1);
  }
  spot.bucket->values[spot.place].store(FlowValue(digest, entry, before.displaced()).bits(),
                                        std::memory_order_relaxed);
  return true;
}

bool FlowTable::insert(const FlowDigest& digest, const FlowEntry& entry, Tick now) {
  const bool may_add = entry.state != FlowState::kOpening || opening() < capacity() / 2;
  if (may_add) {
    // Mostly there is an empty place in the first bucket, and nothing more to it.
    Bucket& bucket = first_bucket(digest);
    for (size_t i = 0; i < kPlaces; ++i) {
      if (bucket.tags[i].load(std::memory_order_relaxed) == 0) {
        write({&bucket, i}, tag_of(digest), FlowValue(digest, entry, false).bits());
        count(entry.state, 1);
        count(entry.backend, 1);
        return true;
      }
    }
  }
  return insert_with_effort(digest, entry, may_add, now);
}

bool FlowTable::insert_with_effort(const FlowDigest& digest, const FlowEntry& entry, bool may_add, Tick now) {
  Spot spot = may_add ? make_room(digest, now) : Spot{};
  if (spot.bucket == nullptr) {
    // Where no more entries may be opening, a new one can only take the place of another.
    spot = opening_to_replace(digest, now);
  }
  // In a table so full that make_room() does not look further, another's entry would go for nothing.
  const bool may_find_room = size() <= most_for_moves();
  if (spot.bucket == nullptr && !may_add && may_find_room && clear_opening_near(first_index(digest), now)) {
    spot = make_room(digest, now);
  }
  if (spot.bucket == nullptr) {
    return false;
  }
  put(spot, digest, entry, now);
  return true;
}

void FlowTable::erase(const FlowDigest& digest, Tick now) {
  if (const Spot spot = spot_of(digest); spot.bucket != nullptr) {
    clear(spot, now);
  }
}

void FlowTable::put(const Spot& spot, const FlowDigest& digest, const FlowEntry& entry, Tick now) {
  clear(spot, now);
  const bool displaced = spot.bucket != &first_bucket(digest);
  if (displaced) {
    count_overflow(first_bucket(digest), 1);
  }
  write(spot, tag_of(digest), FlowValue(digest, entry, displaced).bits());
  count(entry.state, 1);
  count(entry.backend, 1);
}

// Another flow's tag and value in a place.
void FlowTable::write(const Spot& spot, uint32_t tag, uint64_t value) {
  std::atomic<uint32_t>& control = spot.bucket->control;
  const uint32_t before = control.load(std::memory_order_relaxed);
  control.store(before + kOneVersion, std::memory_order_relaxed);
  // Both pair with read(): the odd version is seen before any of what follows, the even one after it.
  std::atomic_thread_fence(std::memory_order_release);
  spot.bucket->tags[spot.place].store(tag, std::memory_order_relaxed);
  spot.bucket->values[spot.place].store(value, std::memory_order_relaxed);
  // Half the version, modulo the places, is the place after the one that was written last.
  const auto written = static_cast<uint32_t>(spot.place + 1);
  const auto behind = static_cast<uint32_t>(written + kPlaces - before / kOneVersion / 2 % kPlaces) % kPlaces;
  const uint32_t changes = behind == 0 ? uint32_t{kPlaces} : behind;
  control.store(before + 2 * changes * kOneVersion, std::memory_order_release);
}

void FlowTable::clear(const Spot& spot, Tick now) {
  const uint32_t tag = spot.bucket->tags[spot.place].load(std::memory_order_relaxed);
  if (tag == 0) {
    return;
  }
  const FlowValue value(spot.bucket->values[spot.place].load(std::memory_order_relaxed));
  if (value.displaced()) {
    const auto index = static_cast<size_t>(spot.bucket - buckets_.data());
    count_overflow(buckets_[other_index(index, tag)], -1);
  }
  count(value.state(), -1);
  const FlowEntry entry = value.entry();
  count(entry.backend, -1);
  if (entry.is_awaited() && entry.expires.reached(now) && backend_flows_ != nullptr) {
    backend_flows_->signal(entry.backend, Signal::kLapsed);
  }
  // The value stays: who still reads the tag reads what belongs to it.
  spot.bucket->tags[spot.place].store(0, std::memory_order_relaxed);
}

// The entry is in both places for a moment, so that a reader who goes from its first bucket to its second
// finds it in one of them, unless it moves the other way just then.
void FlowTable::move(const Spot& from, const Spot& to) {
  const uint32_t tag = from.bucket->tags[from.place].load(std::memory_order_relaxed);
  const uint64_t value = from.bucket->values[from.place].load(std::memory_order_relaxed);
  const bool was_displaced = FlowValue(value).displaced();
  if (!was_displaced) {
    count_overflow(*from.bucket, 1);
  }
  write(to, tag, value ^ FlowValue::kDisplaced);
  from.bucket->tags[from.place].store(0, std::memory_order_relaxed);
  if (was_displaced) {
    count_overflow(*to.bucket, -1);
  }
}

// A count that has reached its limit is not known any more, and stays. Released like the version that it
// lies beside: who reads that version from this store must see what was written before it, too.
void FlowTable::count_overflow(Bucket& bucket, int change) {
  const uint32_t control = bucket.control.load(std::memory_order_relaxed);
  if ((control & kOverflowMask) != kOverflowMask) {
    bucket.control.store(control + static_cast<uint32_t>(change), std::memory_order_release);
  }
}

void FlowTable::count(FlowState state, int change) {
  auto& counter = count_[static_cast<size_t>(state)];
  counter.store(counter.load(std::memory_order_relaxed) + static_cast<size_t>(change),
                std::memory_order_relaxed);
}

}  // namespace maglb
