// The same work for many things, on all cores.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

namespace maglb {

// Calls work(i) once for each i below `count`, on this thread and as many others as there are cores for,
// and returns when all are done. In no order. REQUIRES: work does not throw, and calls of it do not get in
// each other's way.
template <typename Work>
void for_each_in_parallel(size_t count, const Work& work) {
  std::atomic<size_t> next{0};
  const auto run = [&] {
    for (size_t i = next.fetch_add(1, std::memory_order_relaxed); i < count;
         i = next.fetch_add(1, std::memory_order_relaxed)) {
      work(i);
    }
  };
  constexpr size_t kMostThreads = 16;
  const size_t threads = std::min({count, kMostThreads, size_t{std::thread::hardware_concurrency()}});
  std::vector<std::thread> others;
  try {
    while (others.size() + 1 < threads) {
      others.emplace_back(run);
    }
  } catch (const std::system_error&) {
    // No more threads: those that there are do it.
  }
  run();
  for (std::thread& other : others) {
    other.join();
  }
}

}  // namespace maglb
