// The parts of the path by themselves: each stage over a chunk of bursts that the stages before it have
// made ready, with 65,536 established flows. Counter `ns` is nanoseconds a packet. Needs AVX2 and AES.
#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <string>

#include "bench/balancer.h"
#include "bench/measure.h"
#include "bench/suite_main.h"
#include "lib/lb/instructions.h"
#include "lib/net/wire.h"

namespace maglb::bench {
namespace {

enum class Stage { kParse, kClassify, kSeek, kTrack, kRewrite };
constexpr uint64_t kFlows = 65536;

class Bursts {
 public:
  Bursts(bool is_v6, uint32_t services)
      : traffic_({is_v6, services, false}), balancer_({is_v6, services, 100, 2 * kFlows}) {
    for (int i = 0; i < 2; ++i) {
      for (uint64_t first = 0; first < kFlows; first += kChunk) {
        for (uint32_t slot = 0; slot < kChunk; ++slot) {
          traffic_.write(slot, first + slot, kTcpAck);
        }
        balancer_.run(traffic_, monotonic_now());
      }
    }
  }

  // Every stage before `stage` has been passed.
  void make_ready(Stage stage) {
    for (uint32_t slot = 0; slot < kChunk; ++slot) {
      traffic_.write(slot, flows_.known(), kTcpAck);
    }
    now_ = monotonic_now();
    for (uint32_t burst = 0; burst < kBursts; ++burst) {
      bursts_[burst].clear();
      for (uint32_t i = 0; i < kBatchSize; ++i) {
        bursts_[burst].add(traffic_.packet(burst * kBatchSize + i));
      }
    }
    for (const Stage before : {Stage::kParse, Stage::kClassify, Stage::kSeek, Stage::kTrack}) {
      if (before < stage) {
        run(before);
      }
    }
  }
  [[MAGLB_TARGET_AVX2, gnu::flatten]] void run(Stage stage) {
    const OuterV4 outer(balancer_.worker().tunnel_source);
    switch (stage) {
      case Stage::kParse:
        return each([&](Batch& b, size_t i) { parse<Avx2Instructions>(b, i, balancer_.worker()); });
      case Stage::kClassify:
        return each(
            [&](Batch& b, size_t i) { classify(b, i, balancer_.snapshot(), balancer_.worker(), now_); });
      case Stage::kSeek:
        return each([&](Batch& b, size_t i) { seek<Avx2Instructions>(b, i, balancer_.worker()); });
      case Stage::kTrack:
        return each([&](Batch& b, size_t i) { track<Avx2Instructions>(b, i, balancer_.worker(), now_); });
      case Stage::kRewrite:
        return each([&](Batch& b, size_t i) {
          rewrite(b, i, outer, balancer_.snapshot(), balancer_.worker(), now_);
        });
    }
  }

 private:
  template <typename Step>
  void each(Step step) {
    for (Batch& batch : bursts_) {
      for (uint32_t i = 0; i < kBatchSize; ++i) {
        step(batch, i);
      }
    }
  }

  Traffic traffic_;
  Balancer balancer_;
  Flows flows_{kFlows};
  std::array<Batch, kBursts> bursts_;
  Time now_{};
};

void stage_of(benchmark::State& state, Stage stage, bool is_v6, uint32_t services) {
  Bursts bursts(is_v6, services);
  for (auto _ : state) {
    bursts.make_ready(stage);
    time_chunk(state, [&] { bursts.run(stage); });
  }
  report_packets(state, kChunk);
}

[[MAGLB_TARGET_AVX2, gnu::flatten]] uint64_t hash_avx2(const FlowHash& hash,
                                                       const std::vector<FlowKey>& keys) {
  uint64_t sum = 0;
  for (const FlowKey& key : keys) {
    sum += hash.digest_avx2(key, 1).place;
  }
  return sum;
}
[[MAGLB_TARGET_AVX512, gnu::flatten]] uint64_t hash_avx512(const FlowHash& hash,
                                                           const std::vector<FlowKey>& keys) {
  uint64_t sum = 0;
  for (const FlowKey& key : keys) {
    sum += hash.digest_avx512(key, 1).place;
  }
  return sum;
}
uint64_t hash_baseline(const FlowHash& hash, const std::vector<FlowKey>& keys) {
  uint64_t sum = 0;
  for (const FlowKey& key : keys) {
    sum += hash.digest(key, 1).place;
  }
  return sum;
}

void hash_of(benchmark::State& state, Isa isa) {
  const FlowHash hash(SipKey{1, 2});
  std::vector<FlowKey> keys(kChunk);
  for (uint32_t i = 0; i < kChunk; ++i) {
    keys[i].source_port = Be16(static_cast<uint16_t>(i));
  }
  const auto run = isa == Isa::kBaseline ? hash_baseline : isa == Isa::kAvx2 ? hash_avx2 : hash_avx512;
  for (auto _ : state) {
    time_chunk(state, [&] { benchmark::DoNotOptimize(run(hash, keys)); });
  }
  report_packets(state, kChunk);
}

template <typename Run>
void add(const std::string& name, Run run) {
  benchmark::RegisterBenchmark(name.c_str(), run)->UseManualTime();
}

void add_all() {
  const struct {
    const char* name;
    Stage stage;
  } stages[] = {{"parse", Stage::kParse},
                {"classify", Stage::kClassify},
                {"seek", Stage::kSeek},
                {"track", Stage::kTrack},
                {"rewrite", Stage::kRewrite}};
  for (const auto& [name, stage] : stages) {
    for (const bool is_v6 : {false, true}) {
      add("Path/" + std::string(name) + "/family:" + (is_v6 ? "6" : "4"),
          [stage = stage, is_v6](benchmark::State& state) { stage_of(state, stage, is_v6, 1); });
    }
  }
  add("Path/classify/family:4/services:1000",
      [](benchmark::State& state) { stage_of(state, Stage::kClassify, false, 1000); });
  for (const Isa isa : kAllIsas) {
    if (cpu_has(isa)) {
      add("Path/hash/isa:" + std::string(to_string(isa)),
          [isa](benchmark::State& state) { hash_of(state, isa); });
    }
  }
}

}  // namespace
}  // namespace maglb::bench

int main(int argc, char** argv) {
  return maglb::bench::run_suite(argc, argv, maglb::cpu_has(maglb::Isa::kAvx2), "a CPU with AVX2 and AES",
                                 maglb::bench::add_all);
}
