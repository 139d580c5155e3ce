// What this machine is: dataplane.yaml as plain data. Which cores, which ports, how much memory.
//
// A MachineConfig that parse_machine_config() returned keeps these promises:
//   1. There is at least one worker, at most 64, and none two on a core. One may share the main core.
//   2. There is at least one port, at most 16. Port names are unique (1..63 characters of
//      [A-Za-z0-9._-], the first a letter or digit), and so are devices and their interfaces.
//   3. A device is a PCI address or a virtual device of DPDK ("net_..."), perhaps with arguments after
//      a comma; net_af_xdp names its interface.
//   4. Every mtu is in 576..9600; a next_hop_mac is neither zero nor multicast.
//   5. A tunnel source is an address or a prefix of its family; not multicast, not loopback. So is a source
//      of nat, of at most 256 addresses in all.
//   6. A VLAN is named like a port, its ids are in 1..4094, and no two of a port have the same.
//   7. Sizes and limits are within the bounds below.
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
#include "lib/net/port_range.h"
#include "lib/net/prefix.h"

namespace maglb {

inline constexpr uint32_t kMaxCore = 1023;
inline constexpr uint32_t kMaxWorkers = 64;
inline constexpr uint32_t kMaxMachinePorts = 16;
inline constexpr uint32_t kMaxServiceNumbers = 65535;
inline constexpr uint32_t kMaxVlans = 64;          // of all ports
inline constexpr uint32_t kMaxNatAddresses = 256;  // of both families
inline constexpr uint16_t kMinMtu = 576;
inline constexpr uint16_t kMaxMtu = 9600;
inline constexpr uint32_t kMinPortBuffers = 1024;
inline constexpr uint32_t kMaxPortBuffers = (1 << 24) - 1;
inline constexpr uint64_t kMinMemoryBytes = uint64_t{64} << 20;
inline constexpr uint64_t kMaxMemoryBytes = uint64_t{1} << 40;
inline constexpr uint64_t kMinFlowEntries = 1024;
inline constexpr uint64_t kMaxFlowEntries = uint64_t{1} << 28;

// Frames of a port with one VLAN tag (802.1Q) or two (802.1ad around it): a link of its own, to the
// backends' network perhaps, with its own next hops.
struct VlanConfig {
  std::string name;
  uint16_t outer = 0;                      // the first tag in the frame; 0: there is only one
  uint16_t id = 0;                         // the tag next to the packet
  std::string interface;                   // the kernel's, by which it routes; empty: none
  uint16_t mtu = 0;                        // of IP packets; 0: the port's
  std::optional<MacAddress> next_hop_mac;  // without a kernel interface
  friend bool operator==(const VlanConfig&, const VlanConfig&) = default;
};

struct PortConfig {
  std::string name;
  std::string device;
  uint16_t mtu = 1500;                     // of IP packets
  uint32_t buffers = 0;                    // per receive queue; 0: what the driver needs
  std::optional<MacAddress> next_hop_mac;  // for a port without a kernel interface
  std::vector<VlanConfig> vlans;
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

// Where nat's packets to the backends come from. The backends' replies have to come back to us.
struct NatSourceConfig {
  std::optional<IpPrefix> v4;
  std::optional<IpPrefix> v6;
  PortRange ports{1024, 65535};
  friend bool operator==(const NatSourceConfig&, const NatSourceConfig&) = default;
};

struct MachineConfig {
  uint32_t main_core = 0;
  std::vector<uint32_t> worker_cores;
  // Outer sources of tunnels, without which they drop. Of a prefix each flow has its own address.
  std::optional<IpPrefix> tunnel_source_v4;
  std::optional<IpPrefix> tunnel_source_v6;
  NatSourceConfig nat_source;
  std::vector<PortConfig> ports;
  MemoryConfig memory;
  uint64_t flow_entries = 1 << 20;  // per worker
  LimitsConfig limits;
  friend bool operator==(const MachineConfig&, const MachineConfig&) = default;
};

}  // namespace maglb
