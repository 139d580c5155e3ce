// Steering an AF_XDP port: the program that hands the packets of services to the workers and leaves
// everything else to the kernel (steer.bpf.c), from the loader's side.
//
// The order of things for one port:
//   1. clear_leftover_steering(interface): before DPDK probes the device; a program that a killed
//      dataplane left is taken off, someone else's is refused.
//   2. SteeringObject::path() goes into the device's arguments: "net_af_xdp0,iface=lb0,xdp_prog=PATH".
//      DPDK loads and attaches the program, and fills its socket map. It takes it off on close.
//   3. Steering::open(interface), then sync() with what is to be steered, now and at every change.
// Until the first sync nothing is steered: the kernel sees every packet.
//
// One thread. All calls concern the calling thread's network namespace.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/bpf/attachment.h"
#include "lib/net/address.h"

namespace maglb {

// One entry of the map. For packets: protocol kAny (TCP and UDP) and port 0 are wildcards. For later
// fragments, which have no ports: an address; do not put in one that is the host's own as well, or the
// host loses its fragments.
struct SteerKey {
  IpAddress address;
  Protocol protocol = Protocol::kAny;
  uint16_t port = 0;
  bool fragments = false;

  static SteerKey packets(const IpAddress& address, Protocol protocol, uint16_t port) {
    return {address, protocol, port, false};
  }
  static SteerKey later_fragments(const IpAddress& address) { return {address, Protocol::kAny, 0, true}; }

  friend auto operator<=>(const SteerKey&, const SteerKey&) = default;
};

struct SteerCounters {
  uint64_t service = 0;
  uint64_t fragment = 0;
  uint64_t icmp = 0;
};

// The compiled program as a file for DPDK, which takes only a path. The file is in memory and is gone
// with the object; DPDK needs it while it probes.
class SteeringObject {
 public:
  static Result<SteeringObject> create();
  std::string path() const;

 private:
  explicit SteeringObject(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// Detaches a leftover of ours. Retries for at most `patience` while the kernel says busy. Kind
// kConflict, with the program's name and id, when the interface has someone else's.
Result<void> clear_leftover_steering(const std::string& interface, Duration patience);

class Steering {
 public:
  // Finds our program on the interface, opens its maps and gives it the interface's MAC address.
  static Result<Steering> open(const std::string& interface);

  // Makes the map hold exactly `wanted`: adds before it removes, so that no service that stays, or is
  // covered by a wildcard before and after, is without an entry in between. An error names the key; the
  // map may then hold some of the change, and calling again finishes it.
  Result<void> sync(const std::set<SteerKey>& wanted);

  // Tells the program the interface's MAC address again. Call it when that changed.
  Result<void> set_mac(const MacAddress& mac);

  // What the map holds, read from the kernel.
  Result<std::set<SteerKey>> entries() const;
  Result<SteerCounters> counters() const;

 private:
  Steering() = default;

  UniqueFd services_;
  UniqueFd config_;
  UniqueFd counters_;
};

}  // namespace maglb
