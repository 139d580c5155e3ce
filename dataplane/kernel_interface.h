// What the kernel says about a network interface.
#pragma once

#include <cstdint>
#include <string>

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

// A claim on the interface that lasts as long as the descriptor, or the process however it ends: no two
// instances serve one interface. Tries for at most `patience`, as a killed owner is still ending.
Result<UniqueFd> claim_interface(const std::string& name, Duration patience);

}  // namespace maglb
