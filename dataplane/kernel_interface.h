// What the kernel says about a network interface.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/unique_fd.h"

namespace maglb {

struct KernelInterface {
  int index = 0;
  uint32_t mtu = 0;
  uint32_t rx_queues = 1;
  bool combined_queues = false;  // receive and transmit come in pairs, as DPDK's AF_XDP driver counts them
  bool up = false;
};

// kNotFound when there is none of that name in this network namespace.
Result<KernelInterface> look_up_interface(const std::string& name);

// A claim on an interface that lasts as long as this object, or the process however it ends: no two
// instances serve one interface. It is a lock on a file of root's in /run, named after the network
// namespace and the interface, because whatever any user may take any user could take first.
class InterfaceClaim {
 public:
  // Tries for at most `patience`, as a killed owner is still ending; then kConflict.
  static Result<InterfaceClaim> take(const std::string& name, int index, Duration patience);
  InterfaceClaim(InterfaceClaim&&) noexcept = default;
  InterfaceClaim& operator=(InterfaceClaim&&) = delete;
  ~InterfaceClaim();

 private:
  InterfaceClaim(UniqueFd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  UniqueFd file_;
  std::string path_;
};

}  // namespace maglb
