// Next hops of the links: by the kernel's routes and neighbours for links with a kernel interface, by
// the configured MAC address for the others. Keeps the workers' table up to date.
//
// A link is what a frame leaves by: a port, or a VLAN of a port. Its index is NextHop::port. Where there
// are links of both kinds, a route through a link of ours decides, and the first link with a configured
// next hop takes what the kernel leaves unresolved.
//
// Invariant: a route leads to the first link with its interface. An interface that is known by its name
// may appear, vanish and come back with another index at any time.
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
  static constexpr size_t kMaxLinks = 256;  // NextHop::port has eight bits

  struct Link {
    std::string name;
    int ifindex = 0;  // 0: no kernel interface, or one known by its name
    std::optional<MacAddress> next_hop_mac;
    // Looked up when links change, in place of `ifindex`: a VLAN's "lb0.100". Empty where the interface is
    // the port's own: one that gets its name later is not the device that the port drives.
    std::string interface = {};

    bool has_kernel() const { return ifindex != 0 || !interface.empty(); }
  };

  // `table` outlives it. kInvalid when there are more than kMaxLinks.
  static Result<std::unique_ptr<NextHops>> create(std::vector<Link> links, NextHopTable& table);

  Result<uint32_t> acquire(const IpAddress& backend, ForwardMode mode) override;
  void release(uint32_t index) override;

  // Takes in what the kernel says. Every few milliseconds, or when event_fd() is readable.
  void poll_once(Time now);
  // -1: there is nothing to wait for.
  int event_fd() const { return monitor_ ? monitor_->event_fd() : -1; }

  // Grows when describe() of the index may say something else.
  uint64_t version(uint32_t index) const { return index < versions_.size() ? versions_[index] : 0; }
  // "02:00:00:00:00:01 via uplink", or "unresolved: why".
  std::string describe(uint32_t index) const;

 private:
  NextHops(std::vector<Link> links, NextHopTable& table);
  void take(uint32_t index, const NextHopState& state);
  bool look_up_interfaces();
  std::optional<uint8_t> link_of(int ifindex) const;

  std::vector<Link> links_;
  NextHopTable& table_;
  std::optional<NextHop> configured_;
  std::optional<NextHopMonitor> monitor_;
  std::vector<uint64_t> versions_;  // by index
  uint64_t rounds_ = 0;             // of the monitor, when interfaces were looked up last
};

}  // namespace maglb
