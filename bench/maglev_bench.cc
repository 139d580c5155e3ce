// How long a Maglev table takes to build, beside the paper's plain loop over ready permutations in the
// same run. `ours` is build() as the snapshot compiler calls it, `permutations` its hashing, `populate`
// the rest of it.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "lib/maglev/table.h"
#include "tests/support/plain_maglev.h"

namespace maglb::maglev {
namespace {

constexpr uint64_t kSeed = 7;

struct Case {
  uint32_t table_size;
  size_t n;
  bool mixed;

  std::string name(const std::string& what) const {
    return "MaglevBuild/" + what + "/m:" + std::to_string(table_size) + "/n:" + std::to_string(n) +
           "/weights:" + (mixed ? "mixed" : "equal");
  }
};

struct Pool {
  std::vector<std::string> names;
  std::vector<Member> members;
  std::vector<Permutation> permutations;
  std::vector<uint32_t> weights;

  explicit Pool(const Case& c) : names(c.n) {
    std::mt19937 random(20161);
    for (size_t i = 0; i < c.n; ++i) {
      char name[16];
      std::snprintf(name, sizeof name, "backend%05zu", i % 100000);
      names[i] = name;
      weights.push_back(c.mixed ? 1 + static_cast<uint32_t>(random() % 100) : 100);
      members.push_back({names[i], weights[i]});
      permutations.push_back(permutation_of(names[i], c.table_size, kSeed));
    }
  }
};

void ours(benchmark::State& state, const Case& c) {
  const Pool pool(c);
  for (auto _ : state) {
    benchmark::DoNotOptimize(build(pool.members, c.table_size, kSeed));
  }
}

void populate_only(benchmark::State& state, const Case& c) {
  const Pool pool(c);
  for (auto _ : state) {
    benchmark::DoNotOptimize(populate(pool.permutations, pool.weights, c.table_size));
  }
}

void plain(benchmark::State& state, const Case& c) {
  const Pool pool(c);
  for (auto _ : state) {
    benchmark::DoNotOptimize(testing::plain_maglev(pool.permutations, pool.weights, c.table_size));
  }
}

void permutations(benchmark::State& state, const Case& c) {
  const Pool pool(c);
  for (auto _ : state) {
    for (const std::string& name : pool.names) {
      benchmark::DoNotOptimize(permutation_of(name, c.table_size, kSeed));
    }
  }
}

void add(const Case& c, const std::string& what, void (*body)(benchmark::State&, const Case&)) {
  benchmark::RegisterBenchmark(c.name(what).c_str(), body, c)->Unit(benchmark::kMillisecond);
}

void add_all() {
  for (const uint32_t table_size : {65537u, 655373u}) {
    for (const bool mixed : {false, true}) {
      const Case c{table_size, 1000, mixed};
      add(c, "plain", plain);
      add(c, "ours", ours);
      add(c, "populate", populate_only);
      add(c, "permutations", permutations);
    }
  }
}

}  // namespace
}  // namespace maglb::maglev

int main(int argc, char** argv) {
  maglb::maglev::add_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
}
