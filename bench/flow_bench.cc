// The flow table by itself. Counter `ns` is nanoseconds a flow (find, miss, insert) or a bucket (sweep);
// `bytes_per_flow` is what a flow costs when 85 % of the places are taken. Needs AVX2 and AES.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/huge_memory.h"
#include "bench/measure.h"
#include "bench/suite_main.h"
#include "lib/flow/flow_table.h"

namespace maglb::bench {
namespace {

constexpr size_t kBurst = 32;
constexpr size_t kTurn = 64 * kBurst;
constexpr FlowEntry kEntry{{1, 2}, FlowState::kEstablished, Deadline(1000)};
const Tick kNow(500);

class Table {
 public:
  explicit Table(uint64_t places)
      : buckets_(FlowTable::buckets_for(places), huge_memory()), flows_(buckets_) {}

  // Digests are told by number, and random as those of a keyed hash are.
  static FlowDigest digest_of(uint64_t number) { return {scramble(number), scramble(~number)}; }

  void fill(uint64_t flows) {
    for (uint64_t i = 0; i < flows; ++i) {
      flows_.insert(digest_of(i), kEntry, kNow);
    }
  }
  void clear() {
    flows_.sweep(buckets_.size(), kNow, [](const FlowEntry&) { return false; });
  }
  size_t bytes() const { return buckets_.size() * sizeof(FlowTable::Bucket); }
  FlowTable& flows() { return flows_; }

 private:
  // SplitMix64.
  static uint64_t scramble(uint64_t z) {
    z += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  std::pmr::vector<FlowTable::Bucket> buckets_;
  FlowTable flows_;
};

// A burst's buckets are asked for before the first is looked into, as the path does.
[[MAGLB_TARGET_AVX2, gnu::flatten]] uint64_t probe_all(FlowTable& flows,
                                                       const std::vector<FlowDigest>& digests) {
  uint64_t found = 0;
  for (size_t first = 0; first < digests.size(); first += kBurst) {
    for (size_t i = 0; i < kBurst; ++i) {
      flows.prefetch(digests[first + i]);
    }
    for (size_t i = 0; i < kBurst; ++i) {
      found += flows.probe(digests[first + i], match_tags_avx2) != nullptr ? 1 : 0;
    }
  }
  return found;
}

void insert_all(FlowTable& flows, const std::vector<FlowDigest>& digests) {
  for (size_t first = 0; first < digests.size(); first += kBurst) {
    for (size_t i = 0; i < kBurst; ++i) {
      flows.prefetch(digests[first + i]);
    }
    for (size_t i = 0; i < kBurst; ++i) {
      flows.insert(digests[first + i], kEntry, kNow);
    }
  }
}

void probe(benchmark::State& state, uint64_t flows_count, bool known) {
  Table table(2 * flows_count);
  table.fill(flows_count);
  Flows flows(flows_count);
  std::vector<FlowDigest> digests(kTurn);
  uint64_t found = 0;
  for (auto _ : state) {
    for (FlowDigest& digest : digests) {
      digest = Table::digest_of(known ? flows.known() : flows.fresh());
    }
    time_chunk(state, [&] { found += probe_all(table.flows(), digests); });
  }
  if (found != (known ? static_cast<uint64_t>(state.iterations()) * kTurn : 0)) {
    state.SkipWithError("not every flow was found, or one that is not there was");
  }
  report_packets(state, kTurn);
}

void insert(benchmark::State& state, uint64_t places) {
  Table table(places);
  Flows flows(0);
  std::vector<FlowDigest> digests(kTurn);
  for (auto _ : state) {
    if (flows.fresh_count() + kTurn > places / 2) {
      table.clear();
      flows.forget_fresh();
    }
    for (FlowDigest& digest : digests) {
      digest = Table::digest_of(flows.fresh());
    }
    time_chunk(state, [&] { insert_all(table.flows(), digests); });
  }
  report_packets(state, kTurn);
}

void sweep(benchmark::State& state, uint64_t flows_count) {
  Table table(2 * flows_count);
  table.fill(flows_count);
  for (auto _ : state) {
    time_chunk(state, [&] {
      for (size_t i = 0; i < kTurn; i += kBurst) {
        table.flows().sweep(kBurst, kNow, [](const FlowEntry&) { return true; });
      }
    });
  }
  report_packets(state, kTurn);
}

void memory(benchmark::State& state, uint64_t places) {
  double bytes_per_flow = 0;
  for (auto _ : state) {
    Table table(places);
    uint64_t next = 0;
    while (table.flows().size() * 100 < table.flows().capacity() * 85) {
      if (!table.flows().insert(Table::digest_of(next++), kEntry, kNow)) {
        state.SkipWithError("an insert failed below 85 %");
        return;
      }
    }
    bytes_per_flow = static_cast<double>(table.bytes()) / static_cast<double>(table.flows().size());
  }
  state.counters["bytes_per_flow"] = bytes_per_flow;
}

template <typename Run>
benchmark::internal::Benchmark* add(const std::string& name, Run run) {
  return benchmark::RegisterBenchmark(name.c_str(), run);
}

void add_all() {
  for (const uint64_t flows : {uint64_t{65536}, uint64_t{1'000'000}, uint64_t{10'000'000}}) {
    const std::string size = "/flows:" + std::to_string(flows);
    add("Flow/find" + size, [flows](benchmark::State& state) { probe(state, flows, true); })->UseManualTime();
    add("Flow/miss" + size, [flows](benchmark::State& state) {
      probe(state, flows, false);
    })->UseManualTime();
    add("Flow/insert" + size, [flows](benchmark::State& state) {
      insert(state, 2 * flows);
    })->UseManualTime();
    add("Flow/sweep" + size, [flows](benchmark::State& state) { sweep(state, flows); })->UseManualTime();
  }
  add("Flow/memory/places:1048576", [](benchmark::State& state) { memory(state, 1 << 20); })->Iterations(1);
}

}  // namespace
}  // namespace maglb::bench

int main(int argc, char** argv) {
  return maglb::bench::run_suite(argc, argv, maglb::cpu_has(maglb::Isa::kAvx2), "a CPU with AVX2 and AES",
                                 maglb::bench::add_all);
}
