// Which flow a fragment belongs to. Only a datagram's first fragment says its ports; the others are held
// until that one came, in whatever order they come, and then go where it went. Nothing is reassembled:
// the backend does that, after its own judgement.
//
// Memory, all taken at construction from the resource given, nothing afterwards (defaults: 0.5 MB):
//
//   places_            entries_ (one a datagram)                    ranges_
//   [hash & mask] ---> key | flow | deadline | pieces | state ----> [entry * pieces ...] begin, end
//   twice as many      next in the place                            4 bytes a fragment seen
//   as entries         links of four lists, by age:
//                        all        of the table    of the source bucket
//                        waiting    of the table    of the source bucket
//                      held --+
//   holds_                    v
//   one a buffer that         handle -> handle -> ...
//   the table has        released_ -> ...   dropped_ -> ...   free_hold_ -> ...
//
//   sources_: 256 buckets by a keyed hash of the source: its two lists, its counts.
//
// Invariants:
//   1. A datagram has at most one entry. All entries live equally long, so the list of all is in the order
//      of the deadlines too. An entry at its deadline counts as absent for everyone.
//   2. An entry waits (is in the waiting lists) if and only if it holds a fragment; then its first fragment
//      was not seen, and it is not spoiled.
//   3. Every handle taken (kHeld) comes back exactly once, by take_released() or by take_dropped().
//   4. entries <= limits.entries; held <= limits.held; of a datagram held <= limits.held_each and pieces
//      <= limits.pieces; of a source bucket entries and held <= a quarter of the table's. Buffers with the
//      table, those that nobody took back yet included, <= limits.held + limits.unpolled.
//   5. No fragment goes to another flow than its datagram's first one seen. Of a spoiled datagram none goes
//      at all, until the entry ends.
//   6. Who waits gives way, oldest first; only where nobody in question waits does the oldest of all: later
//      fragments without a first one displace each other, and no datagram whose flow is known while any
//      other waits.
//   7. Work for one fragment: at most two SipHashes, a chain of a table at most half full, limits.pieces
//      ranges, kExpiredAtOnce + 3 entries ended, each with at most limits.held_each fragments.
//
// The quarter. A source that sends pieces of many datagrams takes from the other sources of its bucket
// only, and cannot choose which those are. Who forges many sources and sends later fragments fills the
// waiting places and no more: limits.held of them, the oldest going first, so the pieces of a datagram that
// come within limits.held fragments of each other find each other. Who forges many and sends first ones
// (or spoils what he sends) can fill the table: then who waits goes at once, and a datagram whose first
// fragment came first stays for limits.entries more. Every place is free again after the lifetime.
//
// How long. RFC 791 suggests 15 s, RFC 8200 60 s, for reassembly, which waits for the slowest piece. We
// only bridge from the first piece that comes to the last: they left back to back, 64 KB take 0.5 s at
// 1 Mbit/s, and reordering takes milliseconds. Longer is worse: IPv4 identifications come round after
// 65,536 datagrams (RFC 4963), at 30,000 a second after two seconds. What is complete ends at once.
//
// Does not do: keep buffers (they are the caller's handles), remember a datagram after its end (a piece
// doubled behind it waits as of a new one, and expires), check checksums, merge the workers' tables.
//
// Thread: one, the worker that owner_hash() of the datagram names. Any thread may read the levels.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/siphash.h"
#include "lib/flow/fragment_pieces.h"
#include "lib/net/flow_key.h"

namespace maglb {

// What tells datagrams apart: RFC 791 for IPv4; RFC 8200 4.5 for IPv6, where the protocol is no part of
// it and stays 0. The family is in the addresses. No gaps, so it can be hashed as bytes.
struct FragmentKey {
  IpAddress source;
  IpAddress destination;
  uint32_t id = 0;
  uint8_t protocol = 0;
  uint8_t zero[3] = {};

  friend constexpr bool operator==(const FragmentKey&, const FragmentKey&) = default;
};
static_assert(sizeof(FragmentKey) == 40 && std::has_unique_object_representations_v<FragmentKey>);

// Names the worker that has the datagram: 32 bits of the keyed hash that a table's places, under the same
// key, do not depend on. The key is one for all workers.
uint32_t owner_hash(const SipKey& key, const FragmentKey& datagram);

struct Fragment {
  FragmentKey key;
  uint32_t offset_bytes = 0;
  uint32_t payload_bytes = 0;
  bool more = false;              // others lie behind it
  const FlowKey* flow = nullptr;  // of the first one, with its ports; null if it is too short for them
  uintptr_t handle = 0;           // the caller's buffer
  uint32_t buffer_bytes = 0;      // what it takes, for held_bytes()
};

enum class FragmentVerdict : uint8_t {
  kForward,           // to the flow said; the handle stays the caller's, as in all but kHeld
  kHeld,              // the table has the handle now
  kRefusedOverlap,    // spoils its datagram, or is of one spoiled: an overlap, a second end, data behind it
  kRefusedDuplicate,  // exactly what was seen before: the datagram goes on without it
  kRefusedFull,       // a bound is reached
  kRefusedMalformed,  // no such fragment can be (RFC 8200 4.5), or a first one without ports (RFC 1858)
};

struct FragmentOutcome {
  FragmentVerdict verdict = FragmentVerdict::kRefusedFull;
  FlowKey flow;  // of kForward
};

enum class FragmentLoss : uint8_t { kExpired, kSpoiled, kEvicted };

struct DroppedFragment {
  uintptr_t handle = 0;
  FragmentLoss reason = FragmentLoss::kExpired;
};

class FragmentTable {
 public:
  struct Limits {
    uint32_t entries = 1024;
    uint32_t held = 512;      // fragments held in all
    uint32_t held_each = 16;  // of one datagram
    uint32_t pieces = 64;     // of one datagram, forwarded ones included: 64 KB at IPv6's least MTU are 54
    uint32_t unpolled = 64;   // fragments admitted between two times the handles are taken back: a burst
  };
  static constexpr Duration kLifetime = std::chrono::seconds(2);
  static constexpr size_t kSourceBuckets = 256;
  static constexpr size_t kExpiredAtOnce = 4;

  // REQUIRES: limits of at least 1, entries and held at least 4, pieces at most 8,192.
  explicit FragmentTable(const SipKey& key) : FragmentTable(key, Limits{}) {}
  FragmentTable(const SipKey& key, const Limits& limits, Duration lifetime = kLifetime,
                std::pmr::memory_resource* memory = std::pmr::get_default_resource());
  FragmentTable(const FragmentTable&) = delete;
  FragmentTable& operator=(const FragmentTable&) = delete;

  // Judges a fragment that came from the wire, hostile as it may be. An IPv6 "atomic" fragment (the first
  // and the last in one) belongs to no other (RFC 6946): it goes by itself. REQUIRES: now never goes back;
  // `flow` only with an offset of 0.
  FragmentOutcome admit(const Fragment& fragment, Time now);

  // The flow of a fragment that take_released() gave back, asked once for each: a complete datagram ends
  // with the last of them. Nothing if the entry ended or was spoiled meanwhile; the fragment is to be
  // dropped then.
  std::optional<FlowKey> flow_of(const FragmentKey& key, Time now);

  // Ends the next entries whose deadline is reached, kExpiredAtOnce at most. Once a burst; admit() does too.
  void expire(Time now);
  // Ends every entry: what is held is to be taken back as evicted. For the end of the program.
  void clear();

  // Handles that may go now (in any order), and handles to be dropped and counted. Returns how many were
  // written; once a burst, until has_any() is false.
  bool has_any() const { return released_.first != kNone || dropped_.first != kNone; }
  size_t take_released(std::span<uintptr_t> out);
  size_t take_dropped(std::span<DroppedFragment> out);

  // Levels. Any thread. held() counts what waits, held_bytes() all that was not taken back.
  size_t size() const { return size_.load(std::memory_order_relaxed); }
  size_t held() const { return held_.load(std::memory_order_relaxed); }
  size_t held_bytes() const { return held_bytes_.load(std::memory_order_relaxed); }
  const Limits& limits() const { return limits_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  // First and last of a list of entries or holds.
  struct List {
    uint32_t first = kNone;
    uint32_t last = kNone;
  };
  struct Link {
    uint32_t previous = kNone;
    uint32_t next = kNone;
  };
  enum Lane : size_t { kAll, kAllOfSource, kWaiting, kWaitingOfSource, kLanes };

  struct Entry {
    FragmentKey key;
    FlowKey flow;
    Time deadline{0};
    FragmentPieces pieces;
    std::array<Link, kLanes> links;
    uint32_t next_in_place = kNone;  // the next free one while it is free
    uint32_t place = 0;
    uint32_t held = kNone;    // the first hold
    uint32_t held_count = 0;  // 0: does not wait
    uint32_t released = 0;    // given back, and not yet asked for by flow_of()
    uint16_t source = 0;      // bucket
    bool has_flow = false;
    bool is_spoiled = false;
  };
  static_assert(sizeof(Entry) == 160);

  struct Hold {
    uintptr_t handle = 0;
    uint32_t next = kNone;
    uint32_t buffer_bytes = 0;
    FragmentLoss reason = FragmentLoss::kExpired;
  };

  struct Source {
    List all;
    List waiting;
    uint32_t entries = 0;
    uint32_t held = 0;
  };

  // Where a datagram is, or would be.
  struct Spot {
    uint32_t place = 0;
    uint32_t entry = kNone;
  };

  Spot find(const FragmentKey& key, Time now);
  uint16_t source_bucket(const IpAddress& source) const;
  std::span<PieceRange> ranges_of(uint32_t entry);

  FragmentOutcome admit_known(uint32_t entry, const Fragment& fragment, PieceRange piece);
  FragmentOutcome admit_unknown(uint32_t place, const Fragment& fragment, PieceRange piece, Time now);
  FragmentOutcome forward(uint32_t entry, const Fragment& fragment, PieceRange piece);
  void add_piece(uint32_t entry, PieceRange piece, bool more);
  void spoil(uint32_t entry);

  // What makes room. `spared`: the entry that wants it.
  bool make_room_to_hold(uint16_t source, uint32_t spared);
  void make_room_for_entry(uint16_t source);
  bool evict_waiting(const List& waiting, Lane lane, uint32_t spared);
  void evict_oldest(const List& waiting, const List& all);

  uint32_t create(uint32_t place, const FragmentKey& key, uint16_t source, Time now);
  void end(uint32_t entry, FragmentLoss reason);
  void end_if_done(uint32_t entry);

  void hold(uint32_t entry, const Fragment& fragment);
  void release_held(uint32_t entry);
  void drop_held(uint32_t entry, FragmentLoss reason);
  void give_back(uint32_t entry, List& queue, FragmentLoss reason);
  const Hold& take(List& queue);

  List& list(Lane lane, uint16_t source);
  void append(Lane lane, uint32_t entry);
  void unlink(Lane lane, uint32_t entry);

  SipKey key_;
  Limits limits_;
  Duration lifetime_;
  uint32_t mask_;
  std::pmr::vector<uint32_t> places_;
  std::pmr::vector<Entry> entries_;
  std::pmr::vector<PieceRange> ranges_;
  std::pmr::vector<Hold> holds_;
  std::pmr::vector<Source> sources_;
  List all_;
  List waiting_;
  List released_;
  List dropped_;
  uint32_t free_entry_ = kNone;
  uint32_t free_hold_ = kNone;
  std::atomic<uint32_t> size_{0};
  std::atomic<uint32_t> held_{0};
  std::atomic<uint64_t> held_bytes_{0};
};

}  // namespace maglb
