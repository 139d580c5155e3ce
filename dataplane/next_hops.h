// Next hops of the ports: by the kernel's routes and neighbours for ports with a kernel interface, by
// the configured MAC address for the others. Keeps the workers' table up to date.
//
// Where there are ports of both kinds, a route through a port of ours decides, and the first port with
// a configured next hop takes what the kernel leaves unresolved.
//
// Threads: the main core; workers read the table.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/nexthop/next_hop_monitor.h"
#include "lib/lb/next_hop_table.h"
#include "lib/snapshot/view/registry.h"

namespace maglb {

class NextHops final : public NextHopSource {
 public:
  struct PortRoute {
    std::string name;
    int ifindex = 0;  // 0: no kernel interface
    std::optional<MacAddress> next_hop_mac;
  };

  // `table` outlives it.
  static Result<std::unique_ptr<NextHops>> create(std::vector<PortRoute> ports, NextHopTable& table);

  Result<uint32_t> acquire(const IpAddress& backend, ForwardMode mode) override;
  void release(uint32_t index) override;

  // Takes in what the kernel says. Every few milliseconds, or when event_fd() is readable.
  void poll_once(Time now);
  // -1: there is nothing to wait for.
  int event_fd() const { return monitor_ ? monitor_->event_fd() : -1; }

  // "02:00:00:00:00:01 via uplink", or "unresolved: why".
  std::string describe(uint32_t index) const;

 private:
  NextHops(std::vector<PortRoute> ports, NextHopTable& table);
  void take(uint32_t index, const NextHopState& state);
  std::optional<uint8_t> port_of(int ifindex) const;

  std::vector<PortRoute> ports_;
  NextHopTable& table_;
  std::optional<NextHop> configured_;
  std::optional<NextHopMonitor> monitor_;
};

}  // namespace maglb
