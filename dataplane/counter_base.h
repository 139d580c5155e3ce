// What counters stood at when their indexes got a new meaning: an index is reused at once, and whoever
// has it now did not count what was there before.
//
// Threads: the main core.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "lib/flow/backend_signals.h"
#include "lib/lb/counters.h"

namespace maglb {

struct Traffic {
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint64_t new_flows = 0;
  uint64_t refused = 0;
  std::array<uint64_t, kSignals> signals{};

  void add(const TrafficCounters& counters) {
    packets += counters.packets.value();
    bytes += counters.bytes.value();
    new_flows += counters.new_flows.value();
    refused += counters.refused.value();
  }
  void add(const BackendSignals& of_all, uint32_t index) {
    for (size_t i = 0; i < kSignals; ++i) {
      signals[i] += of_all.value(index, static_cast<Signal>(i));
    }
  }
  Traffic since(const Traffic& base) const {
    Traffic change{packets - base.packets, bytes - base.bytes, new_flows - base.new_flows,
                   refused - base.refused, signals};
    for (size_t i = 0; i < kSignals; ++i) {
      change.signals[i] -= base.signals[i];
    }
    return change;
  }
};

class CounterBase {
 public:
  // All workers' counters of an index together.
  using Sum = std::function<Traffic(uint32_t index)>;
  explicit CounterBase(Sum sum) : sum_(std::move(sum)) {}

  void rebase(std::span<const uint32_t> fresh) {
    for (const uint32_t index : fresh) {
      base_.resize(std::max<size_t>(base_.size(), index + size_t{1}));
      base_[index] = sum_(index);
    }
  }
  Traffic of(uint32_t index) const {
    return index < base_.size() ? sum_(index).since(base_[index]) : sum_(index);
  }

 private:
  Sum sum_;
  std::vector<Traffic> base_;  // by index; beyond its end nothing had been counted
};

}  // namespace maglb
