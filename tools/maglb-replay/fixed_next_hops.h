// Next hops where there is no kernel to ask: made up from the backend's address, so that a capture can
// be replayed on any machine and gives the same frames.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "lib/lb/next_hop_table.h"
#include "lib/snapshot/view/registry.h"

namespace maglb::replay {

// `configured` (a link's next_hop_mac) is everybody's next hop where there is one; else the MAC address
// is 02:00:00:00:00:01, and with l2 it is 02:00 and the last four bytes of the backend's address.
class FixedNextHops : public NextHopSource {
 public:
  // REQUIRES: the table outlives this.
  FixedNextHops(NextHopTable& table, uint8_t link, std::optional<MacAddress> configured)
      : table_(table), link_(link), configured_(configured) {}

  Result<uint32_t> acquire(const IpAddress& backend, ForwardMode mode) override;
  // A replay has one configuration: nothing is given back before its end.
  void release(uint32_t) override {}

 private:
  MacAddress mac_of(const IpAddress& backend, ForwardMode mode) const;

  NextHopTable& table_;
  uint8_t link_;  // as NextHop::port
  std::optional<MacAddress> configured_;
  std::map<std::pair<IpAddress, ForwardMode>, uint32_t> indexes_;
};

}  // namespace maglb::replay
