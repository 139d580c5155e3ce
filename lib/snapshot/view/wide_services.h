// Services that match more than one address, protocol and port: prefixes, port ranges, any port, any
// protocol. A packet that matches several is the most specific one's:
//   1. the longest prefix;
//   2. of those, a service of the packet's protocol before one of any;
//   3. of those, the fewest ports.
// A service of one address, protocol and port comes before all of them, and is not in here.
//
// A service of any protocol matches TCP and UDP, and with any port whatever else comes over IP, as if its
// ports were 0.
//
// Layout: a map from prefixes to runs of rules, each run in the order in which its rules are tried.
//
// Threads: immutable once made; any number of readers.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "lib/net/flow_key.h"
#include "lib/net/port_range.h"
#include "lib/net/prefix_map.h"

namespace maglb {

class WideServices {
 public:
  struct Rule {
    IpPrefix address;
    Protocol protocol = Protocol::kAny;
    PortRange ports;
    uint32_t service = 0;  // whatever the owner calls it by
  };
  static constexpr uint32_t kNone = ~uint32_t{0};

  // REQUIRES: no two rules of a prefix and protocol have as many ports and share one.
  WideServices(std::vector<Rule> rules, std::pmr::memory_resource* memory);

  // The service of the flow's destination; kNone if there is none.
  uint32_t find(const FlowKey& flow) const;
  bool has_address(const IpAddress& address) const { return groups_.find(address).has_value(); }
  // Every service whose prefix holds the address, the longest first, until `visit(service)` returns true.
  template <typename F>
  void visit(const IpAddress& address, F visit) const;
  bool empty() const { return rules_.empty(); }

 private:
  // Rules of one prefix: from the one with that index on, to the last that says so.
  struct Ordered {
    PortRange ports;
    Protocol protocol;
    bool is_last;
    uint32_t service;

    bool matches(const FlowKey& flow) const;
  };

  std::pmr::vector<Ordered> rules_;
  PrefixMap groups_;  // the index of a prefix's first rule
};

template <typename F>
void WideServices::visit(const IpAddress& address, F visit) const {
  if (rules_.empty()) {
    return;
  }
  groups_.visit(address, [&](const IpPrefix&, uint32_t at) {
    for (;; ++at) {
      if (visit(rules_[at].service)) {
        return true;
      }
      if (rules_[at].is_last) {
        return false;
      }
    }
  });
}

}  // namespace maglb
