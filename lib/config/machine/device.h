// A port's device as DPDK's EAL takes it: a PCI address or a virtual device, and its arguments.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace maglb {

struct Device {
  std::string name;       // "net_af_xdp0", "0000:03:00.0"
  std::string driver;     // "net_af_xdp"; empty for a PCI address
  std::string arguments;  // "iface=lb0"
  std::string interface;  // the kernel interface it takes over, from `iface`; empty if none is named

  bool is_pci() const { return driver.empty(); }
};

// Checks the form only; whether there is such a device is known when it is probed.
Result<Device> parse_device(std::string_view text);

}  // namespace maglb
