// What this machine is: dataplane.yaml as plain data. Which cores, which ports, how much memory.
//
// A MachineConfig that parse_machine_config() returned keeps these promises:
//   1. There is at least one worker, at most 64, and none two on a core. One may share the main core.
//   2. There is at least one port, at most 16. Port names are unique (1..63 characters of
//      [A-Za-z0-9._-], the first a letter or digit), and so are devices and their interfaces.
//   3. A device is a PCI address or a virtual device of DPDK ("net_..."), perhaps with arguments after
//      a comma; net_af_xdp names its interface.
//   4. Every mtu is in 576..9600; a next_hop_mac is neither zero nor multicast.
//   5. A tunnel source is one address of its family; not multicast, not loopback.
//   6. Sizes and limits are within the bounds below.
//
// Nothing here is shared between instances: several run on one machine with a file each, on cores and
// devices of their own. What the machine has of them (cores, hugepages, devices) is found out when the
// dataplane starts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/net/address.h"

namespace maglb {

inline constexpr uint32_t kMaxCore = 1023;
inline constexpr uint32_t kMaxWorkers = 64;
inline constexpr uint32_t kMaxMachinePorts = 16;
inline constexpr uint16_t kMinMtu = 576;
inline constexpr uint16_t kMaxMtu = 9600;
inline constexpr uint32_t kMinPortBuffers = 1024;
inline constexpr uint32_t kMaxPortBuffers = (1 << 24) - 1;
inline constexpr uint64_t kMinMemoryBytes = uint64_t{64} << 20;
inline constexpr uint64_t kMaxMemoryBytes = uint64_t{1} << 40;
inline constexpr uint64_t kMinFlowEntries = 1024;
inline constexpr uint64_t kMaxFlowEntries = uint64_t{1} << 28;

struct PortConfig {
  std::string name;
  std::string device;
  uint16_t mtu = 1500;                     // of IP packets
  uint32_t buffers = 0;                    // per receive queue; 0: what the driver needs
  std::optional<MacAddress> next_hop_mac;  // for a port without a kernel interface
  friend bool operator==(const PortConfig&, const PortConfig&) = default;
};

struct MemoryConfig {
  std::optional<bool> hugepages;  // not said: if the machine has them
  uint64_t size_bytes = 0;        // 0: what the tables need
  friend bool operator==(const MemoryConfig&, const MemoryConfig&) = default;
};

struct LimitsConfig {
  uint32_t services = 4096;
  uint32_t pools = 4096;
  uint32_t backends = 65536;  // in all pools together
  friend bool operator==(const LimitsConfig&, const LimitsConfig&) = default;
};

struct MachineConfig {
  uint32_t main_core = 0;
  std::vector<uint32_t> worker_cores;
  std::optional<IpAddress> tunnel_source_v4;  // the outer source of ipip; without one ipip drops
  std::optional<IpAddress> tunnel_source_v6;
  std::vector<PortConfig> ports;
  MemoryConfig memory;
  uint64_t flow_entries = 1 << 20;  // per worker
  LimitsConfig limits;
  friend bool operator==(const MachineConfig&, const MachineConfig&) = default;
};

}  // namespace maglb
