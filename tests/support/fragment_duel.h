// One input played on a FragmentTable and on a plain one; all they say is compared after every step.
#pragma once

#include <array>
#include <map>
#include <set>
#include <vector>

#include "tests/support/plain_fragments.h"

namespace maglb::testing {

// Every step is a word of the input: what happens, and to which datagram.
class FragmentDuel {
 public:
  explicit FragmentDuel(const FragmentTable::Limits& limits)
      : table_(kKey, limits, kLifetime), plain_(kKey, limits, kLifetime) {}

  // Null, or what differs.
  const char* step(uint32_t word) {
    switch (word % 16) {
      case 0:
        now_ += Duration(1 + static_cast<int64_t>(word >> 4 & 0xff) % 40);
        return levels();
      case 1:
        table_.expire(now_);
        plain_.expire(now_);
        return levels();
      case 2:
      case 3:
        return take_back(1 + (word >> 4) % 8);
      case 4:
        return ask_for(key_of(word));
      default:
        return admit(word);
    }
  }

  // What is left comes back once each.
  const char* finish() {
    table_.clear();
    for (std::array<DroppedFragment, 16> some; const size_t count = table_.take_dropped(some);) {
      for (const DroppedFragment& each : std::span(some).first(count)) {
        if (out_.erase(each.handle) != 1) {
          return "a handle comes back that the table does not have";
        }
      }
    }
    for (std::array<uintptr_t, 16> some; const size_t count = table_.take_released(some);) {
      for (uintptr_t handle : std::span(some).first(count)) {
        out_.erase(handle);
      }
    }
    return out_.empty() && table_.held() == 0 && table_.held_bytes() == 0 && table_.size() == 0
               ? nullptr
               : "a handle does not come back";
  }

  const std::map<FragmentVerdict, size_t>& verdicts() const { return verdicts_; }
  const std::map<FragmentLoss, size_t>& losses() const { return losses_; }

 private:
  static constexpr SipKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  static constexpr Duration kLifetime{100};

  // Three sources, three ids.
  static FragmentKey key_of(uint32_t word) {
    const auto source = static_cast<uint8_t>((word >> 8 & 0xf) % 3);
    return {IpAddress::v4(std::array<uint8_t, 4>{10, 0, 0, source}),
            IpAddress::v4(std::array<uint8_t, 4>{192, 0, 2, 1}),
            (word >> 12 & 0xf) % 3,
            17,
            {}};
  }

  const char* admit(uint32_t word) {
    const uint32_t shape = word >> 16;
    FlowKey flow;
    flow.source_port = Be16(static_cast<uint16_t>(1 + (shape >> 12)));
    Fragment fragment;
    fragment.key = key_of(word);
    fragment.offset_bytes = (shape & 7) * 8;
    fragment.payload_bytes = (1 + (shape >> 3 & 1)) * 8;
    fragment.more = (shape >> 4 & 3) != 0;
    if ((shape >> 6 & 0x1f) == 0) {
      fragment.offset_bytes += word >> 4 & 1 ? 65528 : 1;
    }
    if ((shape >> 6 & 0x1f) == 1) {
      fragment.payload_bytes -= 1 + (word >> 4 & 7);
    }
    fragment.flow = fragment.offset_bytes == 0 && (shape >> 11 & 7) != 0 ? &flow : nullptr;
    fragment.handle = ++handles_;
    fragment.buffer_bytes = 64;
    const FragmentOutcome is = table_.admit(fragment, now_);
    const FragmentOutcome expected = plain_.admit(fragment, now_);
    ++verdicts_[is.verdict];
    if (is.verdict == FragmentVerdict::kHeld) {
      out_.insert(fragment.handle);
    }
    if (is.verdict != expected.verdict || !(is.flow == expected.flow)) {
      return "another verdict or flow";
    }
    return levels();
  }

  const char* take_back(size_t limit) {
    std::vector<uintptr_t> released(limit);
    released.resize(table_.take_released(released));
    for (uintptr_t handle : released) {
      if (plain_.released.erase(handle) != 1 || out_.erase(handle) != 1) {
        return "released what should not be";
      }
    }
    std::vector<DroppedFragment> dropped(limit);
    dropped.resize(table_.take_dropped(dropped));
    for (const DroppedFragment& each : dropped) {
      const auto expected = plain_.dropped.find(each.handle);
      if (expected == plain_.dropped.end() || expected->second != each.reason ||
          out_.erase(each.handle) != 1) {
        return "dropped what should not be, or for another reason";
      }
      plain_.dropped.erase(expected);
      ++losses_[each.reason];
    }
    if ((released.size() < limit && !plain_.released.empty()) ||
        (dropped.size() < limit && !plain_.dropped.empty())) {
      return "kept what should come back";
    }
    return levels();
  }

  const char* ask_for(const FragmentKey& key) {
    if (table_.flow_of(key, now_) != plain_.flow_of(key, now_)) {
      return "another flow of a datagram";
    }
    return levels();
  }

  const char* levels() const {
    const bool has_any = !plain_.released.empty() || !plain_.dropped.empty();
    if (table_.size() != plain_.size() || table_.held() != plain_.held() || table_.has_any() != has_any ||
        table_.held_bytes() != out_.size() * 64) {
      return "another level";
    }
    return nullptr;
  }

  FragmentTable table_;
  PlainFragments plain_;
  Time now_{1};
  uintptr_t handles_ = 0;
  std::set<uintptr_t> out_;  // with the table
  std::map<FragmentVerdict, size_t> verdicts_;
  std::map<FragmentLoss, size_t> losses_;
};

}  // namespace maglb::testing
