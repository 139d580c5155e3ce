// The dataplane as a whole: builds the parts in the order they need each other, runs the workers and
// the main core's loop, and takes everything down again.
//
// Threads: the main core. It serves the control socket, follows the kernel's routes, frees old
// snapshots and backends' numbers; the workers do the rest and wait for none of it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "dataplane/idle.h"
#include "lib/base/error.h"
#include "lib/base/isa.h"
#include "lib/config/machine/model.h"

namespace maglb {

class Dataplane {
 public:
  // Ports are open and workers run when it returns. REQUIRES: the thread is to be the main core's, and
  // SIGTERM and SIGINT are blocked in it. Errors name the port, core or socket they are about.
  // `idle`: what the workers do while nothing arrives; not said: by whether their cores are their own.
  // `isa`: the instructions of the packet path; the CPU has them.
  static Result<std::unique_ptr<Dataplane>> start(const MachineConfig& config, const std::string& socket_path,
                                                  std::optional<IdlePolicy> idle, Isa isa);
  ~Dataplane();

  // Returns when `signals` (a signalfd) becomes readable.
  void run(int signals);

 private:
  class Impl;
  explicit Dataplane(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace maglb
