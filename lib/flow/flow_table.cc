#include "lib/flow/flow_table.h"

#include <bit>

#include "lib/base/check.h"

namespace maglb {

size_t FlowTable::buckets_for(size_t entries) {
  const size_t buckets = (entries + kPlaces - 1) / kPlaces;
  return std::bit_ceil(buckets < 2 ? size_t{2} : buckets);
}

FlowTable::FlowTable(std::span<Bucket> buckets) : buckets_(buckets), mask_(buckets.size() - 1) {
  check(buckets.size() >= 2 && std::has_single_bit(buckets.size()), "a power of two of buckets");
}

// The low bits choose the first bucket and the high half the second, which is never the first.
FlowTable::Bucket& FlowTable::second_bucket(FlowDigest digest) const {
  const uint64_t first = digest.value() & mask_;
  const uint64_t step = ((digest.value() >> 32) & mask_) | 1;
  return buckets_[first ^ step];
}

uint64_t FlowTable::pack(const FlowEntry& entry, uint64_t turn) {
  return turn | uint64_t{entry.backend.place} | uint64_t{entry.backend.pool} << 16 |
         uint64_t{entry.expires.value()} << 32 | uint64_t{static_cast<uint8_t>(entry.state)} << 56;
}

FlowEntry FlowTable::unpack(uint64_t value) {
  return {{static_cast<uint16_t>(value >> 16), static_cast<uint16_t>(value)},
          static_cast<FlowState>((value >> 56) % kFlowStates),
          Tick(static_cast<uint32_t>(value >> 32))};
}

size_t FlowTable::size() const {
  size_t sum = 0;
  for (const auto& count : count_) {
    sum += count.load(std::memory_order_relaxed);
  }
  return sum;
}

void FlowTable::prefetch(FlowDigest digest) const {
  const Bucket& bucket = first_bucket(digest);
  __builtin_prefetch(&bucket.places[0]);
  __builtin_prefetch(&bucket.places[kPlaces / 2]);
}

std::optional<FlowEntry> FlowTable::find(FlowDigest digest, Tick now) const {
  for (const Bucket* bucket : {&first_bucket(digest), &second_bucket(digest)}) {
    for (const Place& place : bucket->places) {
      if (place.digest.load(std::memory_order_relaxed) == digest.value()) {
        return read(place, digest, now);
      }
    }
  }
  return std::nullopt;
}

std::optional<FlowEntry> FlowTable::read(const Place& place, FlowDigest digest, Tick now) {
  // Pairs with the stores of the value: whoever sees a turn sees the digest emptied before it.
  const uint64_t first = place.value.load(std::memory_order_acquire);
  // Pairs with the store of the digest in write(): whoever sees a digest sees its turn.
  const bool is_same = place.digest.load(std::memory_order_acquire) == digest.value();
  const uint64_t value = place.value.load(std::memory_order_relaxed);
  const FlowEntry entry = unpack(value);
  if (!is_same || turn_of(first) != turn_of(value) || entry.expires.reached(now)) {
    return std::nullopt;
  }
  return entry;
}

FlowTable::Place* FlowTable::place_of(FlowDigest digest) const {
  for (Bucket* bucket : {&first_bucket(digest), &second_bucket(digest)}) {
    for (Place& place : bucket->places) {
      if (place.digest.load(std::memory_order_relaxed) == digest.value()) {
        return &place;
      }
    }
  }
  return nullptr;
}

// An empty or expired place, in the emptier of the two buckets: filling one before the other would
// refuse the first flow when the table is a third full. Else the opening entry that would expire
// first; where no more entries may be opening, a new opening one can only take the place of another.
FlowTable::Place* FlowTable::place_for_new(FlowDigest digest, bool may_add, Tick now) {
  Place* empty = nullptr;
  size_t most_empty = 0;
  Place* replaceable = nullptr;
  Duration least_left = Duration::max();
  for (Bucket* bucket : {&first_bucket(digest), &second_bucket(digest)}) {
    size_t empty_here = 0;
    Place* last_empty = nullptr;
    for (Place& place : bucket->places) {
      const bool is_used = place.digest.load(std::memory_order_relaxed) != 0;
      const FlowEntry entry = unpack(place.value.load(std::memory_order_relaxed));
      const bool opens = entry.state == FlowState::kOpening;
      if (!is_used || (entry.expires.reached(now) && !opens)) {
        ++empty_here;
        last_empty = &place;
      } else if (opens && entry.expires.left(now) < least_left) {
        replaceable = &place;
        least_left = entry.expires.left(now);
      }
    }
    if (empty_here > most_empty) {
      most_empty = empty_here;
      empty = last_empty;
    }
  }
  return may_add && empty != nullptr ? empty : replaceable;
}

bool FlowTable::store(FlowDigest digest, const FlowEntry& entry, Tick now) {
  Place* place = place_of(digest);
  if (place != nullptr && unpack(place->value.load(std::memory_order_relaxed)).expires.reached(now)) {
    clear(*place);  // as good as empty: the flow begins anew
    place = nullptr;
  }
  if (place != nullptr) {
    const uint64_t value = place->value.load(std::memory_order_relaxed);
    const FlowState before = unpack(value).state;
    const bool one_more_opens = entry.state == FlowState::kOpening && before != FlowState::kOpening;
    if (one_more_opens && opening() >= capacity() / 2) {
      return false;
    }
    count(before, -1);
    count(entry.state, 1);
    place->value.store(pack(entry, turn_of(value)), std::memory_order_release);
    return true;
  }
  const bool may_add = entry.state != FlowState::kOpening || opening() < capacity() / 2;
  place = place_for_new(digest, may_add, now);
  if (place == nullptr) {
    return false;
  }
  clear(*place);
  write(*place, digest, entry);
  return true;
}

void FlowTable::erase(FlowDigest digest) {
  if (Place* place = place_of(digest); place != nullptr) {
    clear(*place);
  }
}

// Each release pairs with an acquire in read(): the value goes behind the emptied digest of clear(), the
// digest behind the value.
void FlowTable::write(Place& place, FlowDigest digest, const FlowEntry& entry) {
  const uint64_t turn = turn_of(place.value.load(std::memory_order_relaxed) + kOneTurn);
  place.value.store(pack(entry, turn), std::memory_order_release);
  place.digest.store(digest.value(), std::memory_order_release);
  count(entry.state, 1);
}

void FlowTable::clear(Place& place) {
  if (place.digest.load(std::memory_order_relaxed) == 0) {
    return;
  }
  count(unpack(place.value.load(std::memory_order_relaxed)).state, -1);
  place.digest.store(0, std::memory_order_relaxed);
}

void FlowTable::count(FlowState state, int change) {
  auto& counter = count_[static_cast<size_t>(state)];
  counter.store(counter.load(std::memory_order_relaxed) + static_cast<size_t>(change),
                std::memory_order_relaxed);
}

}  // namespace maglb
