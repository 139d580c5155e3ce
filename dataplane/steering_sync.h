// Tells the ports' steering programs which packets are the workers': those of the configured services.
//
// Threads: the main core.
#pragma once

#include <set>
#include <vector>

#include "lib/base/error.h"
#include "lib/bpf/steering.h"
#include "lib/snapshot/view/forwarding_state.h"

namespace maglb {

// What to steer for these services. Later fragments have no port, so they go by address, unless the
// address is one of `host_addresses`: the host's other traffic to it would lose its fragments.
std::set<SteerKey> steer_keys_of(const std::vector<ServiceSpec>& services,
                                 const std::set<IpAddress>& host_addresses);

// The IPv4 addresses of all interfaces of this network namespace.
std::set<IpAddress> host_addresses();

class SteeringSync {
 public:
  explicit SteeringSync(std::vector<Steering*> ports) : ports_(std::move(ports)) {}

  // A change in two steps around its publication: widen() adds what the new services need, and
  // settle() takes away what they do not. After an error of widen(), or of the publication, settle()
  // with the services that run.
  Result<void> widen(const std::vector<ServiceSpec>& services);
  Result<void> settle(const std::vector<ServiceSpec>& services);

 private:
  Result<void> sync(const std::set<SteerKey>& keys);

  std::vector<Steering*> ports_;
  std::set<SteerKey> steered_;
};

}  // namespace maglb
