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
#include <optional>
#include <set>
#include <span>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/bpf/attachment.h"
#include "lib/bpf/steer_tables.h"
#include "lib/net/address.h"

namespace maglb {

// Frames by what the program made of them. All others are the kernel's, too, but nobody counts them.
struct SteerCounters {
  uint64_t service = 0;
  uint64_t fragment = 0;
  uint64_t icmp = 0;  // errors about packets of services
  uint64_t echo = 0;
  uint64_t tunnel_error = 0;
  // To the kernel, though perhaps for a service: VLAN tags that are not allowed, too many extension headers.
  uint64_t kept_vlan = 0;
  uint64_t kept_headers = 0;

  uint64_t steered() const { return service + fragment + icmp + echo + tunnel_error; }
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

  // Makes the program steer exactly `wanted`. Adds before it removes: at every moment a packet is decided by
  // what was wanted before or by what is now, so none that stays is without its entry in between. An error
  // names the entry, or is one of compile(), and then nothing has changed; else the tables may hold some of
  // the change, and calling again finishes it.
  Result<void> sync(const SteerWanted& wanted);

  // Tells the program the interface's MAC address.
  Result<void> set_mac(const MacAddress& mac);
  // Tells it again if it is another one by now, and returns that.
  Result<std::optional<MacAddress>> follow_mac();

  // The name it was opened by.
  const std::string& interface() const { return interface_; }

  // What the program has, read from the kernel.
  Result<SteerTables> tables() const;
  Result<SteerCounters> counters() const;

 private:
  Steering() = default;

  Result<void> add(const SteerTables& wanted, const SteerTables& present);
  Result<void> remove(const SteerTables& wanted, const SteerTables& present);

  std::string interface_;
  int ifindex_ = 0;
  MacAddress mac_;
  UniqueFd services_;
  UniqueFd prefixes_;
  UniqueFd addresses_;
  UniqueFd vlans_;
  UniqueFd config_;
  UniqueFd counters_;
};

}  // namespace maglb
