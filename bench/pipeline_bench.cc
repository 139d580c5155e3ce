// The whole packet path and the yardstick beside it, over the same frames. Counter `ns` is nanoseconds a
// packet; only the path is timed, not the writing of the frames.
#include <benchmark/benchmark.h>

#include <string>

#include "bench/balancer.h"
#include "bench/huge_memory.h"
#include "bench/measure.h"
#include "bench/suite_main.h"
#include "bench/yardstick.h"
#include "lib/net/wire.h"

namespace maglb::bench {
namespace {

// established: every flow is known. new: every packet opens one, into a table with room. syn_flood: the
// same, but the table has been full of opening flows for long. mixed: one packet of ten opens a flow.
enum class Mix { kEstablished, kNew, kSynFlood, kMixed };

struct Case {
  Mix mix;
  uint64_t flows;
  uint32_t backends = 100;
  uint32_t services = 1;
  bool is_v6 = false;
  bool imix = false;
};

constexpr uint8_t kAck = kTcpAck;

void write_chunk(Traffic& traffic, Flows& flows, Mix mix) {
  for (uint32_t slot = 0; slot < kChunk; ++slot) {
    const bool is_new = mix == Mix::kNew || mix == Mix::kSynFlood || (mix == Mix::kMixed && slot % 10 == 9);
    traffic.write(slot, is_new ? flows.fresh() : flows.known(), is_new ? kTcpSyn : kAck);
  }
}

template <typename Run>
void establish(Traffic& traffic, uint64_t flows, Run run) {
  for (uint64_t first = 0; first < flows; first += kChunk) {
    for (uint32_t slot = 0; slot < kChunk; ++slot) {
      traffic.write(slot, (first + slot) % flows, kAck);
    }
    run();
  }
}

std::string drops(const WorkerCounters& counters) {
  std::string text;
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    if (const uint64_t count = counters.dropped[reason].value(); count != 0) {
      text += std::string(name_of(static_cast<DropReason>(reason))) + " " + std::to_string(count) + " ";
    }
  }
  return text;
}

void pipeline(benchmark::State& state, const Case& c) {
  Traffic traffic({c.is_v6, c.services, c.imix});
  // Half full when every flow is in it.
  const uint64_t entries = std::max<uint64_t>(2 * c.flows, 4096);
  Balancer balancer({c.is_v6, c.services, c.backends, entries});
  Flows flows(c.flows);
  if (c.mix != Mix::kNew) {
    // Twice: a second packet makes an opened flow an established one.
    for (int i = 0; i < 2; ++i) {
      establish(traffic, c.flows, [&] { balancer.run(traffic, monotonic_now()); });
    }
  }
  const uint64_t room = c.mix == Mix::kSynFlood ? ~uint64_t{0} : balancer.flows().capacity() * 2 / 5;
  uint64_t sent = 0;
  for (auto _ : state) {
    if (c.mix != Mix::kEstablished && flows.fresh_count() + kChunk > room) {
      balancer.clear();
      flows.forget_fresh();
    }
    write_chunk(traffic, flows, c.mix);
    const Time now = monotonic_now();
    time_chunk(state, [&] { sent += balancer.run(traffic, now); });
  }
  if (sent != static_cast<uint64_t>(state.iterations()) * kChunk) {
    state.SkipWithError(("not every packet was sent: " + drops(balancer.counters())).c_str());
  }
  report_packets(state, kChunk);
}

void yardstick_find(benchmark::State& state, uint64_t flows_count) {
  Traffic traffic({});
  Yardstick yardstick(std::max<uint64_t>(2 * flows_count, 64), huge_memory());
  Flows flows(flows_count);
  establish(traffic, flows_count, [&] { yardstick.insert(traffic); });
  uint64_t found = 0;
  for (auto _ : state) {
    write_chunk(traffic, flows, Mix::kEstablished);
    time_chunk(state, [&] { found += yardstick.find(traffic); });
  }
  // A bucket that was full when the table was filled leaves a few unknown.
  if (found < static_cast<uint64_t>(state.iterations()) * kChunk * 9 / 10) {
    state.SkipWithError("flows were not found");
  }
  report_packets(state, kChunk);
}

void yardstick_insert(benchmark::State& state, uint64_t slots) {
  Traffic traffic({});
  Yardstick yardstick(slots, huge_memory());
  Flows flows(0);
  for (auto _ : state) {
    if (flows.fresh_count() + kChunk > slots * 2 / 5) {
      yardstick.clear();
      flows.forget_fresh();
    }
    write_chunk(traffic, flows, Mix::kNew);
    time_chunk(state, [&] { benchmark::DoNotOptimize(yardstick.insert(traffic)); });
  }
  report_packets(state, kChunk);
}

std::string name_of(Mix mix) {
  switch (mix) {
    case Mix::kEstablished:
      return "established";
    case Mix::kNew:
      return "new";
    case Mix::kSynFlood:
      return "syn_flood";
    case Mix::kMixed:
      return "mixed";
  }
  return "?";
}

void add(const Case& c) {
  const std::string name = "Pipeline/family:" + std::string(c.is_v6 ? "6" : "4") + "/mix:" + name_of(c.mix) +
                           "/flows:" + std::to_string(c.flows) + "/backends:" + std::to_string(c.backends) +
                           "/services:" + std::to_string(c.services) + "/size:" + (c.imix ? "imix" : "64");
  benchmark::RegisterBenchmark(name.c_str(), [c](benchmark::State& state) {
    pipeline(state, c);
  })->UseManualTime();
}

void add_all() {
  constexpr uint64_t kSizes[] = {1, 1024, 65536, 1'000'000, 10'000'000};
  for (const uint64_t flows : kSizes) {
    benchmark::RegisterBenchmark(("Yardstick/find/flows:" + std::to_string(flows)).c_str(),
                                 [flows](benchmark::State& state) { yardstick_find(state, flows); })
        ->UseManualTime();
    add({.mix = Mix::kEstablished, .flows = flows});
  }
  for (const uint64_t slots : {uint64_t{1} << 20, uint64_t{1} << 24}) {
    benchmark::RegisterBenchmark(("Yardstick/insert/slots:" + std::to_string(slots)).c_str(),
                                 [slots](benchmark::State& state) { yardstick_insert(state, slots); })
        ->UseManualTime();
    add({.mix = Mix::kNew, .flows = slots / 2});
  }
  add({.mix = Mix::kSynFlood, .flows = 100'000});
  add({.mix = Mix::kMixed, .flows = 65536});
  add({.mix = Mix::kMixed, .flows = 1'000'000});
  for (const uint64_t flows : {uint64_t{65536}, uint64_t{1'000'000}, uint64_t{10'000'000}}) {
    add({.mix = Mix::kEstablished, .flows = flows, .is_v6 = true});
  }
  for (const uint32_t backends : {10u, 1000u}) {
    add({.mix = Mix::kEstablished, .flows = 65536, .backends = backends});
  }
  for (const uint32_t services : {100u, 1000u}) {
    add({.mix = Mix::kEstablished, .flows = 65536, .services = services});
  }
  add({.mix = Mix::kEstablished, .flows = 65536, .backends = 1000, .services = 1000});
  add({.mix = Mix::kEstablished, .flows = 65536, .backends = 100, .services = 1, .imix = true});
}

}  // namespace
}  // namespace maglb::bench

int main(int argc, char** argv) {
  return maglb::bench::run_suite(argc, argv, maglb::bench::Yardstick::runs_here(),
                                 "a CPU with AVX2 and AES, for the yardstick", maglb::bench::add_all);
}
