#include "lib/flow/fragment_table.h"

#include <bit>

#include "lib/base/check.h"

namespace maglb {
namespace {

constexpr uint32_t kMaxDatagram = 65535;  // bytes, in either family
constexpr uint32_t kOffsetUnit = 8;

uint64_t hash_of(const SipKey& key, const FragmentKey& datagram) {
  return siphash24(key, {reinterpret_cast<const uint8_t*>(&datagram), sizeof(datagram)});
}

// One thread writes, so no read-modify-write is needed.
template <typename T>
void change(std::atomic<T>& level, int64_t by) {
  level.store(static_cast<T>(level.load(std::memory_order_relaxed) + static_cast<T>(by)),
              std::memory_order_relaxed);
}

bool is_well_formed(const Fragment& fragment) {
  if (fragment.offset_bytes > kMaxDatagram || fragment.payload_bytes > kMaxDatagram - fragment.offset_bytes) {
    return false;
  }
  if (fragment.payload_bytes == 0 || fragment.offset_bytes % kOffsetUnit != 0) {
    return false;
  }
  if (fragment.more && fragment.payload_bytes % kOffsetUnit != 0) {
    return false;
  }
  return fragment.offset_bytes != 0 || fragment.flow != nullptr;
}

FragmentOutcome refused(FragmentVerdict verdict) {
  return {verdict, {}};
}

}  // namespace

uint32_t owner_hash(const SipKey& key, const FragmentKey& datagram) {
  return static_cast<uint32_t>(hash_of(key, datagram) >> 32);
}

FragmentTable::FragmentTable(const SipKey& key, const Limits& limits, Duration lifetime,
                             std::pmr::memory_resource* memory)
    : key_(key),
      limits_(limits),
      lifetime_(lifetime),
      mask_(std::bit_ceil(limits.entries * 2) - 1),
      places_(size_t{mask_} + 1, kNone, memory),
      entries_(limits.entries, memory),
      ranges_(size_t{limits.entries} * limits.pieces, memory),
      holds_(size_t{limits.held} + limits.unpolled, memory),
      sources_(kSourceBuckets, memory) {
  check(limits.entries >= 4 && limits.held >= 4, "a quarter of the places for a source");
  check(limits.held_each >= 1 && limits.unpolled >= 1, "room for a fragment");
  check(limits.pieces >= 1 && limits.pieces <= kMaxDatagram / kOffsetUnit + 1, "a bound of pieces");
  for (uint32_t i = limits.entries; i-- > 0;) {
    entries_[i].next_in_place = free_entry_;
    free_entry_ = i;
  }
  for (auto i = static_cast<uint32_t>(holds_.size()); i-- > 0;) {
    holds_[i].next = free_hold_;
    free_hold_ = i;
  }
}

FragmentOutcome FragmentTable::admit(const Fragment& fragment, Time now) {
  check(fragment.flow == nullptr || fragment.offset_bytes == 0, "only a first fragment has ports");
  if (!is_well_formed(fragment)) {
    return refused(FragmentVerdict::kRefusedMalformed);
  }
  if (fragment.offset_bytes == 0 && !fragment.more) {
    return {FragmentVerdict::kForward, *fragment.flow};
  }
  expire(now);
  const PieceRange piece{static_cast<uint16_t>(fragment.offset_bytes),
                         static_cast<uint16_t>(fragment.offset_bytes + fragment.payload_bytes)};
  const Spot spot = find(fragment.key, now);
  return spot.entry == kNone ? admit_unknown(spot.place, fragment, piece, now)
                             : admit_known(spot.entry, fragment, piece);
}

FragmentOutcome FragmentTable::admit_known(uint32_t entry, const Fragment& fragment, PieceRange piece) {
  Entry& known = entries_[entry];
  if (known.is_spoiled) {
    return refused(FragmentVerdict::kRefusedOverlap);
  }
  switch (known.pieces.judge(ranges_of(entry).first(known.pieces.count()), piece, fragment.more)) {
    case FragmentPieces::Kind::kMisfit:
      spoil(entry);
      return refused(FragmentVerdict::kRefusedOverlap);
    case FragmentPieces::Kind::kDuplicate:
      return refused(FragmentVerdict::kRefusedDuplicate);
    case FragmentPieces::Kind::kNew:
      break;
  }
  if (known.pieces.count() == limits_.pieces) {
    return refused(FragmentVerdict::kRefusedFull);
  }
  if (known.has_flow || fragment.flow != nullptr) {
    return forward(entry, fragment, piece);
  }
  if (known.held_count == limits_.held_each || !make_room_to_hold(known.source, entry)) {
    return refused(FragmentVerdict::kRefusedFull);
  }
  add_piece(entry, piece, fragment.more);
  hold(entry, fragment);
  return refused(FragmentVerdict::kHeld);
}

FragmentOutcome FragmentTable::admit_unknown(uint32_t place, const Fragment& fragment, PieceRange piece,
                                             Time now) {
  const uint16_t source = source_bucket(fragment.key.source);
  if (fragment.flow == nullptr && !make_room_to_hold(source, kNone)) {
    return refused(FragmentVerdict::kRefusedFull);
  }
  make_room_for_entry(source);
  const uint32_t entry = create(place, fragment.key, source, now);
  if (fragment.flow != nullptr) {
    return forward(entry, fragment, piece);
  }
  add_piece(entry, piece, fragment.more);
  hold(entry, fragment);
  return refused(FragmentVerdict::kHeld);
}

FragmentOutcome FragmentTable::forward(uint32_t entry, const Fragment& fragment, PieceRange piece) {
  Entry& known = entries_[entry];
  if (!known.has_flow) {
    known.has_flow = true;
    known.flow = *fragment.flow;
    release_held(entry);
  }
  const FlowKey flow = known.flow;
  add_piece(entry, piece, fragment.more);
  end_if_done(entry);
  return {FragmentVerdict::kForward, flow};
}

std::optional<FlowKey> FragmentTable::flow_of(const FragmentKey& key, Time now) {
  const uint32_t entry = find(key, now).entry;
  if (entry == kNone || !entries_[entry].has_flow || entries_[entry].is_spoiled) {
    return std::nullopt;
  }
  Entry& known = entries_[entry];
  const FlowKey flow = known.flow;
  known.released -= known.released > 0 ? 1 : 0;
  end_if_done(entry);
  return flow;
}

void FragmentTable::expire(Time now) {
  for (size_t i = 0; i < kExpiredAtOnce && all_.first != kNone; ++i) {
    if (entries_[all_.first].deadline > now) {
      return;
    }
    end(all_.first, FragmentLoss::kExpired);
  }
}

void FragmentTable::clear() {
  while (all_.first != kNone) {
    end(all_.first, FragmentLoss::kEvicted);
  }
}

size_t FragmentTable::take_released(std::span<uintptr_t> out) {
  size_t count = 0;
  for (; count < out.size() && released_.first != kNone; ++count) {
    out[count] = take(released_).handle;
  }
  return count;
}

size_t FragmentTable::take_dropped(std::span<DroppedFragment> out) {
  size_t count = 0;
  for (; count < out.size() && dropped_.first != kNone; ++count) {
    const Hold& hold = take(dropped_);
    out[count] = {hold.handle, hold.reason};
  }
  return count;
}

FragmentTable::Spot FragmentTable::find(const FragmentKey& key, Time now) {
  const auto place = static_cast<uint32_t>(hash_of(key_, key)) & mask_;
  uint32_t entry = places_[place];
  while (entry != kNone && !(entries_[entry].key == key)) {
    entry = entries_[entry].next_in_place;
  }
  if (entry != kNone && entries_[entry].deadline <= now) {
    end(entry, FragmentLoss::kExpired);
    entry = kNone;
  }
  return {place, entry};
}

uint16_t FragmentTable::source_bucket(const IpAddress& source) const {
  return static_cast<uint16_t>(siphash24(key_, source.bytes) % kSourceBuckets);
}

std::span<PieceRange> FragmentTable::ranges_of(uint32_t entry) {
  return std::span(ranges_).subspan(size_t{entry} * limits_.pieces, limits_.pieces);
}

void FragmentTable::add_piece(uint32_t entry, PieceRange piece, bool more) {
  FragmentPieces& pieces = entries_[entry].pieces;
  ranges_of(entry)[pieces.count()] = piece;
  pieces.add(piece, more);
}

void FragmentTable::spoil(uint32_t entry) {
  entries_[entry].is_spoiled = true;
  drop_held(entry, FragmentLoss::kSpoiled);
}

// Of a source that has its quarter, only what waits of the same bucket gives way.
bool FragmentTable::make_room_to_hold(uint16_t source, uint32_t spared) {
  if (free_hold_ == kNone) {
    return false;
  }
  if (sources_[source].held >= limits_.held / 4) {
    return evict_waiting(sources_[source].waiting, kWaitingOfSource, spared);
  }
  return held() < limits_.held || evict_waiting(waiting_, kWaiting, spared);
}

void FragmentTable::make_room_for_entry(uint16_t source) {
  if (sources_[source].entries >= limits_.entries / 4) {
    evict_oldest(sources_[source].waiting, sources_[source].all);
  } else if (free_entry_ == kNone) {
    evict_oldest(waiting_, all_);
  }
}

bool FragmentTable::evict_waiting(const List& waiting, Lane lane, uint32_t spared) {
  uint32_t entry = waiting.first;
  if (entry != kNone && entry == spared) {
    entry = entries_[entry].links[lane].next;
  }
  if (entry == kNone) {
    return false;
  }
  end(entry, FragmentLoss::kEvicted);
  return true;
}

void FragmentTable::evict_oldest(const List& waiting, const List& all) {
  end(waiting.first != kNone ? waiting.first : all.first, FragmentLoss::kEvicted);
}

uint32_t FragmentTable::create(uint32_t place, const FragmentKey& key, uint16_t source, Time now) {
  const uint32_t entry = free_entry_;
  Entry& made = entries_[entry];
  free_entry_ = made.next_in_place;
  made = Entry{};
  made.key = key;
  made.deadline = now + lifetime_;
  made.place = place;
  made.source = source;
  made.next_in_place = places_[place];
  places_[place] = entry;
  append(kAll, entry);
  append(kAllOfSource, entry);
  ++sources_[source].entries;
  change(size_, 1);
  return entry;
}

void FragmentTable::end(uint32_t entry, FragmentLoss reason) {
  drop_held(entry, reason);
  unlink(kAll, entry);
  unlink(kAllOfSource, entry);
  Entry& ended = entries_[entry];
  uint32_t* in_place = &places_[ended.place];
  while (*in_place != entry) {
    in_place = &entries_[*in_place].next_in_place;
  }
  *in_place = ended.next_in_place;
  ended.next_in_place = free_entry_;
  free_entry_ = entry;
  --sources_[ended.source].entries;
  change(size_, -1);
}

// What was given back and is on its way here again still has to find its flow.
void FragmentTable::end_if_done(uint32_t entry) {
  const Entry& known = entries_[entry];
  if (known.pieces.complete() && known.released == 0 && !known.is_spoiled) {
    end(entry, FragmentLoss::kExpired);
  }
}

void FragmentTable::hold(uint32_t entry, const Fragment& fragment) {
  Entry& known = entries_[entry];
  if (known.held_count == 0) {
    append(kWaiting, entry);
    append(kWaitingOfSource, entry);
  }
  const uint32_t taken = free_hold_;
  free_hold_ = holds_[taken].next;
  holds_[taken] = {fragment.handle, known.held, fragment.buffer_bytes, FragmentLoss::kExpired};
  known.held = taken;
  ++known.held_count;
  ++sources_[known.source].held;
  change(held_, 1);
  change(held_bytes_, fragment.buffer_bytes);
}

void FragmentTable::release_held(uint32_t entry) {
  Entry& known = entries_[entry];
  known.released += known.held_count;
  give_back(entry, released_, FragmentLoss::kExpired);
}

void FragmentTable::drop_held(uint32_t entry, FragmentLoss reason) {
  give_back(entry, dropped_, reason);
}

void FragmentTable::give_back(uint32_t entry, List& queue, FragmentLoss reason) {
  Entry& known = entries_[entry];
  if (known.held_count == 0) {
    return;
  }
  unlink(kWaiting, entry);
  unlink(kWaitingOfSource, entry);
  sources_[known.source].held -= known.held_count;
  change(held_, -int64_t{known.held_count});
  known.held_count = 0;
  while (known.held != kNone) {
    const uint32_t given = known.held;
    known.held = holds_[given].next;
    holds_[given].next = kNone;
    holds_[given].reason = reason;
    (queue.last == kNone ? queue.first : holds_[queue.last].next) = given;
    queue.last = given;
  }
}

const FragmentTable::Hold& FragmentTable::take(List& queue) {
  const uint32_t taken = queue.first;
  Hold& hold = holds_[taken];
  queue.first = hold.next;
  queue.last = queue.first == kNone ? kNone : queue.last;
  hold.next = free_hold_;
  free_hold_ = taken;
  change(held_bytes_, -int64_t{hold.buffer_bytes});
  return hold;
}

FragmentTable::List& FragmentTable::list(Lane lane, uint16_t source) {
  switch (lane) {
    case kAll:
      return all_;
    case kAllOfSource:
      return sources_[source].all;
    case kWaiting:
      return waiting_;
    case kWaitingOfSource:
    case kLanes:
      break;
  }
  return sources_[source].waiting;
}

void FragmentTable::append(Lane lane, uint32_t entry) {
  List& in = list(lane, entries_[entry].source);
  entries_[entry].links[lane] = {in.last, kNone};
  (in.last == kNone ? in.first : entries_[in.last].links[lane].next) = entry;
  in.last = entry;
}

void FragmentTable::unlink(Lane lane, uint32_t entry) {
  List& in = list(lane, entries_[entry].source);
  const Link link = entries_[entry].links[lane];
  (link.previous == kNone ? in.first : entries_[link.previous].links[lane].next) = link.next;
  (link.next == kNone ? in.last : entries_[link.next].links[lane].previous) = link.previous;
}

}  // namespace maglb
