// A coarse clock for what expires: a Tick is a point of time in units of 2^27 ns (134 ms), a Deadline one
// that a table remembers in 17 bits.
//
// A Deadline counts ticks, or units of 32 ticks (4.3 s) for what is more than an hour away, in 16 bits
// that wrap around. It is told from the past by being less than half of that range away, so whoever keeps
// one must look at it within that: 73 minutes for the fine unit, 39 hours for the coarse one, less the
// time it was set ahead.
//
// Threads: plain values.
#pragma once

#include <cstdint>

#include "lib/base/clock.h"

namespace maglb {

class Tick {
 public:
  static constexpr int kShift = 27;

  Tick() = default;
  explicit constexpr Tick(uint32_t value) : value_(value) {}
  static Tick at(Time time) {
    return Tick(static_cast<uint32_t>(static_cast<uint64_t>(time.count()) >> kShift));
  }
  constexpr uint32_t value() const { return value_; }
  friend constexpr bool operator==(const Tick&, const Tick&) = default;

 private:
  uint32_t value_ = 0;
};

class Deadline {
 public:
  static constexpr int kBits = 17;
  // Longer timeouts are counted in the coarse unit, and none may be longer than the longest.
  static constexpr Duration kLongestFine = std::chrono::hours(1);
  static constexpr Duration kLongest = std::chrono::hours(25);

  Deadline() = default;
  // The low kBits of it.
  explicit constexpr Deadline(uint32_t bits) : bits_(bits & (kCoarse | 0xffff)) {}

  static constexpr bool is_coarse(Duration timeout) { return timeout > kLongestFine; }
  // The first tick that is surely `timeout` or more after `now`. REQUIRES: 0 <= timeout <= kLongest.
  static Deadline after(Time now, Duration timeout) {
    const uint32_t tick = Tick::at(now + timeout).value() + 1;
    return is_coarse(timeout) ? Deadline(kCoarse | (((tick + kCoarseTicks - 1) >> kCoarseShift) & 0xffff))
                              : Deadline(tick & 0xffff);
  }

  constexpr uint32_t bits() const { return bits_; }
  constexpr bool is_coarse() const { return (bits_ & kCoarse) != 0; }
  // How many of its own units are left; 0 or less when it is reached.
  constexpr int16_t units_left(Tick now) const {
    return static_cast<int16_t>(bits_ - (is_coarse() ? now.value() >> kCoarseShift : now.value()));
  }
  // Whether its count of units is odd: a mark that costs a unit at most, for who sets it with marked().
  constexpr bool is_marked() const { return (bits_ & 1) != 0; }
  // This deadline or the one a unit later, whichever is_marked() so.
  constexpr Deadline marked(bool mark) const {
    return Deadline((bits_ & kCoarse) | ((bits_ + ((bits_ & 1) ^ (mark ? 1u : 0u))) & 0xffff));
  }
  constexpr bool reached(Tick now) const { return units_left(now) <= 0; }
  // Time from `now` until then, 0 if reached.
  constexpr Duration left(Tick now) const {
    return reached(now)
               ? Duration(0)
               : Duration(int64_t{units_left(now)} << (Tick::kShift + (is_coarse() ? kCoarseShift : 0)));
  }
  // `timeout` in units of a deadline that was set `given` ahead, rounded up: while units_left() is more,
  // that much time is left whatever part of a tick has passed. REQUIRES: timeout <= given.
  static int16_t units_of(Duration timeout, Duration given) {
    const int shift = Tick::kShift + (is_coarse(given) ? kCoarseShift : 0);
    return static_cast<int16_t>((timeout.count() + (int64_t{1} << shift) - 1) >> shift);
  }
  friend constexpr bool operator==(const Deadline&, const Deadline&) = default;

 private:
  static constexpr uint32_t kCoarse = 1u << 16;
  static constexpr int kCoarseShift = 5;
  static constexpr uint32_t kCoarseTicks = 1u << kCoarseShift;

  uint32_t bits_ = 0;
};

}  // namespace maglb
