// DPDK's environment: started from what the machine's file says, alone on the machine or beside other
// instances (nothing is shared, no files are left). One in a process.
//
// Threads: the main core.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "lib/base/error.h"

namespace maglb {

struct EalOptions {
  uint32_t main_core = 0;
  std::vector<uint32_t> worker_cores;
  bool hugepages = false;
  uint64_t memory_bytes = 0;             // without hugepages: all there will be
  std::vector<std::string> pci_devices;  // no others are touched
};

// The command line for rte_eal_init(), the program's name first.
std::vector<std::string> eal_arguments(const EalOptions& options);

class Eal {
 public:
  // kInvalid when a core is not there or not ours. Pins the calling thread to the main core.
  static Result<Eal> start(const EalOptions& options);
  Eal(Eal&& other) noexcept;
  Eal& operator=(Eal&&) = delete;
  ~Eal();

  // The lcore of the worker, in the order of worker_cores.
  static uint32_t lcore_of_worker(uint32_t worker) { return worker + 1; }
  // NUMA socket of an lcore.
  static int socket_of(uint32_t lcore);
  static uint64_t tsc_hz();

  // Runs `work` on the lcore's thread; join_workers() waits for all to return.
  static void launch(uint32_t lcore, std::function<void()>& work);
  static void join_workers();

 private:
  Eal() = default;
  bool owns_ = true;
};

}  // namespace maglb
