// Tells the ports' steering programs which packets are the workers': those of the configured services, and
// what the machine's configuration wants besides.
//
// Threads: the main core.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/bpf/steering.h"
#include "lib/snapshot/view/forwarding_state.h"

namespace maglb {

// What to steer for these services. Later fragments have no port, so they go by address, unless the
// address is one of `host_addresses`: the host's other traffic to it would lose its fragments.
SteerWanted steer_wanted_of(const std::vector<ServiceSpec>& services,
                            const std::set<IpAddress>& host_addresses);

// The fewest prefixes that together hold what `prefix` does, but for `addresses`.
std::set<IpPrefix> without(const IpPrefix& prefix, const std::set<IpAddress>& addresses);

// The addresses of both families of all interfaces of this network namespace.
Result<std::set<IpAddress>> host_addresses();

class SteeringSync {
 public:
  // `fixed`: what is steered whatever the services are.
  explicit SteeringSync(std::vector<Steering*> ports, SteerWanted fixed = {})
      : ports_(std::move(ports)), fixed_(std::move(fixed)) {}

  // A change in two steps around its publication: widen() adds what the new services need, and
  // settle() takes away what they do not. After an error of widen(), or of the publication, settle()
  // with the services that run.
  Result<void> widen(const std::vector<ServiceSpec>& services);
  Result<void> settle(const std::vector<ServiceSpec>& services);

  // Once a second: follows the host's addresses and the interfaces' MAC addresses, and tries again what
  // failed in settle(). Errors are logged, the same one once. Workers know a port's MAC address from when
  // they were started: after a change they drop what the program gives them, and the log says so.
  void poll_once(Time now);

 private:
  Result<void> sync(const SteerWanted& wanted);
  Result<SteerWanted> wanted_of(const std::vector<ServiceSpec>& services);
  void follow_macs();
  Result<void> follow_host_addresses();
  void log_once(std::string problem);

  std::vector<Steering*> ports_;
  SteerWanted fixed_;
  SteerWanted steered_;  // may be more than what a port has, after an error
  std::vector<ServiceSpec> services_;
  std::set<IpAddress> host_addresses_;
  bool settled_ = true;
  Time last_poll_{0};
  std::string problem_;  // the last one logged
};

}  // namespace maglb
