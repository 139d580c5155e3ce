// Slow start: a backend that became healthy again gets its weight over a time, in ten equal parts: the first
// at once, the last, its whole weight, when `slow_start` has passed. Pure; time is passed in.
//
// Invariants:
//   1. A ramp has at most kSteps weights, none below 1 (of a whole weight that is not 0), each at least the
//      one before.
//   2. A ramp keeps the length it began with.
//
// Threads: the caller's one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "controlplane/desired/verdicts.h"
#include "lib/base/clock.h"

namespace maglb {

class SlowStart {
 public:
  static constexpr uint32_t kSteps = 10;

  // Of a ramp's step, from 1; the whole at kSteps.
  static uint32_t weight_at(uint32_t whole, uint32_t step);

  // REQUIRES: slow_start > 0. A ramp that is there begins anew.
  void begin(const BackendKey& backend, Duration slow_start, Time now);
  // False when there was none.
  bool cancel(const BackendKey& backend);
  // Cancels those whose backend is not `kept`.
  void keep_only(const std::function<bool(const BackendKey&)>& kept);

  struct Step {
    BackendKey backend;
    bool is_last = false;
  };
  // Takes the steps that are due by `now`; a ramp at its last is over.
  std::vector<Step> advance(Time now);
  // When the next step is due; nothing without a ramp.
  std::optional<Time> next_step() const;

  // What is to be compiled for a backend of this weight.
  uint32_t weight_of(const BackendKey& backend, uint32_t whole) const;
  bool is_ramping(const BackendKey& backend) const { return ramps_.contains(backend); }
  bool empty() const { return ramps_.empty(); }

 private:
  struct Ramp {
    Time began{};
    Duration length{};
    uint32_t step = 1;
    Time next() const { return began + length * step / (kSteps - 1); }
  };
  std::map<BackendKey, Ramp> ramps_;
};

}  // namespace maglb
