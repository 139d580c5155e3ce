// Where our tunnels come from: an address of ours or, so that backends spread the load over their receive
// queues, one address of a prefix for each flow.
#pragma once

#include <cstdint>
#include <optional>

#include "lib/base/byte_order.h"
#include "lib/net/prefix.h"

namespace maglb {

class TunnelSource {
 public:
  // None is configured.
  TunnelSource() = default;
  TunnelSource(const IpPrefix& prefix) : present_(true), high_(load_le64(prefix.address.bytes.data())) {
    low_ = load_le64(prefix.address.bytes.data() + 8);
    const IpAddress all = masked(IpAddress{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xff, 0xff, 0xff, 0xff, 0xff}},
                                 prefix.length);
    host_high_ = ~load_le64(all.bytes.data());
    host_low_ = ~load_le64(all.bytes.data() + 8);
  }
  TunnelSource(const IpAddress& address) : TunnelSource(IpPrefix(address)) {
    present_ = !address.is_unspecified() && address != IpAddress{};
  }
  TunnelSource(const std::optional<IpPrefix>& prefix)
      : TunnelSource(prefix ? TunnelSource(*prefix) : TunnelSource()) {}

  bool present() const { return present_; }
  bool contains(const IpAddress& address) const {
    // The low half first, which mostly decides.
    return ((address.low() ^ low_) & ~host_low_) == 0 && present_ &&
           ((load_le64(address.bytes.data()) ^ high_) & ~host_high_) == 0;
  }

  // The flow's address in words as they lie in memory; `flow`: bits that are the flow's own.
  uint64_t high(uint64_t flow) const { return high_ | (flow & host_high_); }
  uint64_t low(uint64_t flow) const { return low_ | (flow & host_low_); }
  // Of IPv4: the last four bytes.
  uint32_t v4(uint64_t flow) const { return static_cast<uint32_t>(low(flow) >> 32); }

 private:
  bool present_ = false;
  uint64_t high_ = 0;
  uint64_t low_ = ~uint64_t{0};  // of no address that is asked for
  uint64_t host_high_ = 0;       // the bits that a flow chooses
  uint64_t host_low_ = 0;
};

}  // namespace maglb
