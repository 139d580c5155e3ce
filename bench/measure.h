// What the suites share: which flow a packet is of, how a chunk is timed, how the result is told.
#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>

namespace maglb::bench {

// Any of `flows` for a known one, the next that has never been for a new one.
class Flows {
 public:
  explicit Flows(uint64_t flows) : flows_(flows), next_new_(flows) {}

  uint64_t known() {
    state_ = state_ * 0xd1342543de82ef95 + 1;  // an LCG's high bits are random enough for an order
    __extension__ using Wide = unsigned __int128;
    return static_cast<uint64_t>((static_cast<Wide>(state_) * flows_) >> 64);
  }
  uint64_t fresh() { return next_new_++; }
  void forget_fresh() { next_new_ = flows_; }
  uint64_t fresh_count() const { return next_new_ - flows_; }

 private:
  uint64_t state_ = 5;
  uint64_t flows_;
  uint64_t next_new_;
};

// Only what `run` does counts; what lies between the turns does not.
template <typename Run>
void time_chunk(benchmark::State& state, Run run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  state.SetIterationTime(elapsed.count());
}

// Counter `ns`: nanoseconds a packet, as a rate turned upside down.
inline void report_packets(benchmark::State& state, uint64_t packets_a_turn) {
  const double packets = static_cast<double>(state.iterations()) * static_cast<double>(packets_a_turn);
  state.counters["ns"] =
      benchmark::Counter(packets * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

}  // namespace maglb::bench
