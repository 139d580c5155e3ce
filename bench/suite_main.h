// What main() of a Google Benchmark suite does.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdio>

namespace maglb::bench {

// `add_all` registers the benchmarks. Returns the exit code; `can_run` false says on stderr what is missing.
inline int run_suite(int argc, char** argv, bool can_run, const char* needs, void (*add_all)()) {
  if (!can_run) {
    std::fprintf(stderr, "%s: needs %s\n", argv[0], needs);
    return 1;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 1;
  }
  add_all();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace maglb::bench
