// A FragmentTable written plainly: datagrams in a list by age, what was seen byte by byte, everything
// searched for from the start. For comparison (fragment_duel.h).
#pragma once

#include <algorithm>
#include <array>
#include <list>
#include <map>
#include <set>
#include <vector>

#include "lib/flow/fragment_table.h"

namespace maglb::testing {

class PlainFragments {
 public:
  PlainFragments(const SipKey& key, const FragmentTable::Limits& limits, Duration lifetime)
      : key_(key), limits_(limits), lifetime_(lifetime) {}

  FragmentOutcome admit(const Fragment& fragment, Time now) {
    if (!possible(fragment)) {
      return {FragmentVerdict::kRefusedMalformed, {}};
    }
    if (fragment.offset_bytes == 0 && !fragment.more) {
      return {FragmentVerdict::kForward, *fragment.flow};
    }
    expire(now);
    Datagram* known = find(fragment.key, now);
    return known != nullptr ? admit_to(*known, fragment) : admit_new(fragment, now);
  }

  std::optional<FlowKey> flow_of(const FragmentKey& key, Time now) {
    Datagram* known = find(key, now);
    if (known == nullptr || !known->flow || known->spoiled) {
      return std::nullopt;
    }
    const FlowKey flow = *known->flow;
    known->on_their_way -= known->on_their_way > 0 ? 1 : 0;
    end_if_complete(*known);
    return flow;
  }

  void expire(Time now) {
    for (size_t i = 0; i < FragmentTable::kExpiredAtOnce; ++i) {
      if (!datagrams_.empty() && datagrams_.front().deadline <= now) {
        end(datagrams_.front(), FragmentLoss::kExpired);
      }
    }
  }

  std::set<uintptr_t> released;
  std::map<uintptr_t, FragmentLoss> dropped;

  size_t size() const { return datagrams_.size(); }
  size_t held() const {
    size_t sum = 0;
    for (const Datagram& datagram : datagrams_) {
      sum += datagram.held.size();
    }
    return sum;
  }

 private:
  struct Datagram {
    FragmentKey key;
    Time deadline;
    std::optional<FlowKey> flow;
    bool spoiled = false;
    std::set<uint32_t> bytes;
    std::set<std::array<uint32_t, 3>> pieces;  // begin, end, more
    std::optional<uint32_t> size;
    std::vector<uintptr_t> held;
    size_t on_their_way = 0;
  };

  static bool possible(const Fragment& f) {
    const bool fits = f.payload_bytes > 0 && uint64_t{f.offset_bytes} + f.payload_bytes <= 65535;
    const bool even = f.offset_bytes % 8 == 0 && (!f.more || f.payload_bytes % 8 == 0);
    return fits && even && (f.offset_bytes > 0 || f.flow != nullptr);
  }

  static bool fits(const Datagram& datagram, const Fragment& f) {
    const uint32_t end = f.offset_bytes + f.payload_bytes;
    for (uint32_t b = f.offset_bytes; b < end; ++b) {
      if (datagram.bytes.contains(b)) {
        return false;
      }
    }
    if (f.more) {
      return !datagram.size || end <= *datagram.size;
    }
    return !datagram.size && (datagram.bytes.empty() || *datagram.bytes.rbegin() < end);
  }

  FragmentOutcome admit_to(Datagram& known, const Fragment& f) {
    const uint32_t end = f.offset_bytes + f.payload_bytes;
    if (known.spoiled) {
      return {FragmentVerdict::kRefusedOverlap, {}};
    }
    if (known.pieces.contains({f.offset_bytes, end, f.more})) {
      return {FragmentVerdict::kRefusedDuplicate, {}};
    }
    if (!fits(known, f)) {
      known.spoiled = true;
      drop_held(known, FragmentLoss::kSpoiled);
      return {FragmentVerdict::kRefusedOverlap, {}};
    }
    if (known.pieces.size() >= limits_.pieces) {
      return {FragmentVerdict::kRefusedFull, {}};
    }
    if (!known.flow && f.flow == nullptr &&
        (known.held.size() >= limits_.held_each || !make_room_to_hold(known.key, &known))) {
      return {FragmentVerdict::kRefusedFull, {}};
    }
    return take(known, f);
  }

  FragmentOutcome admit_new(const Fragment& f, Time now) {
    if (f.flow == nullptr && !make_room_to_hold(f.key, nullptr)) {
      return {FragmentVerdict::kRefusedFull, {}};
    }
    if (entries_beside(f.key) >= limits_.entries / 4) {
      end(*oldest([&](const Datagram& d) { return same_bucket(d.key, f.key); }), FragmentLoss::kEvicted);
    } else if (datagrams_.size() >= limits_.entries) {
      end(*oldest([](const Datagram&) { return true; }), FragmentLoss::kEvicted);
    }
    Datagram made;
    made.key = f.key;
    made.deadline = now + lifetime_;
    datagrams_.push_back(made);
    return take(datagrams_.back(), f);
  }

  FragmentOutcome take(Datagram& known, const Fragment& f) {
    for (uint32_t b = f.offset_bytes; b < f.offset_bytes + f.payload_bytes; ++b) {
      known.bytes.insert(b);
    }
    known.pieces.insert({f.offset_bytes, f.offset_bytes + f.payload_bytes, f.more});
    if (!f.more) {
      known.size = f.offset_bytes + f.payload_bytes;
    }
    if (f.flow != nullptr) {
      known.flow = *f.flow;
      known.on_their_way = known.held.size();
      released.insert(known.held.begin(), known.held.end());
      known.held.clear();
    }
    if (!known.flow) {
      known.held.push_back(f.handle);
      return {FragmentVerdict::kHeld, {}};
    }
    const FlowKey flow = *known.flow;
    end_if_complete(known);
    return {FragmentVerdict::kForward, flow};
  }

  bool make_room_to_hold(const FragmentKey& key, const Datagram* spared) {
    if (held() + released.size() + dropped.size() >= limits_.held + limits_.unpolled) {
      return false;
    }
    size_t beside = 0;
    for (const Datagram& datagram : datagrams_) {
      beside += same_bucket(datagram.key, key) ? datagram.held.size() : 0;
    }
    const bool quarter_full = beside >= limits_.held / 4;
    if (!quarter_full && held() < limits_.held) {
      return true;
    }
    for (Datagram& d : datagrams_) {
      if (&d != spared && !d.held.empty() && (!quarter_full || same_bucket(d.key, key))) {
        end(d, FragmentLoss::kEvicted);
        return true;
      }
    }
    return false;
  }

  template <typename In>
  Datagram* oldest(In in) {
    for (Datagram& datagram : datagrams_) {
      if (in(datagram) && !datagram.held.empty()) {
        return &datagram;
      }
    }
    return &*std::find_if(datagrams_.begin(), datagrams_.end(), in);
  }

  bool same_bucket(const FragmentKey& a, const FragmentKey& b) const {
    return siphash24(key_, a.source.bytes) % FragmentTable::kSourceBuckets ==
           siphash24(key_, b.source.bytes) % FragmentTable::kSourceBuckets;
  }
  size_t entries_beside(const FragmentKey& key) const {
    return static_cast<size_t>(std::count_if(datagrams_.begin(), datagrams_.end(),
                                             [&](const Datagram& d) { return same_bucket(d.key, key); }));
  }

  Datagram* find(const FragmentKey& key, Time now) {
    for (Datagram& datagram : datagrams_) {
      if (datagram.key == key && datagram.deadline > now) {
        return &datagram;
      }
      if (datagram.key == key) {
        end(datagram, FragmentLoss::kExpired);
        return nullptr;
      }
    }
    return nullptr;
  }

  void drop_held(Datagram& datagram, FragmentLoss reason) {
    for (uintptr_t handle : datagram.held) {
      dropped[handle] = reason;
    }
    datagram.held.clear();
  }
  void end(Datagram& datagram, FragmentLoss reason) {
    drop_held(datagram, reason);
    datagrams_.remove_if([&](const Datagram& each) { return &each == &datagram; });
  }
  void end_if_complete(Datagram& known) {
    if (!known.spoiled && known.on_their_way == 0 && known.size && known.bytes.size() == *known.size) {
      end(known, FragmentLoss::kExpired);
    }
  }

  SipKey key_;
  FragmentTable::Limits limits_;
  Duration lifetime_;
  std::list<Datagram> datagrams_;
};

}  // namespace maglb::testing
