// How marked packets get to the program that encapsulates them: a pair of devices, a rule and two routes
// for each family of addresses.
//
//     fwmark MARK/MASK ──rule──> table ──default route──> maglb-probeN ═══ maglb-probeNi ──> the program
//                                      └─blackhole (metric 2): what is left when the first route is gone
//
// The devices have no address, no ARP and no offloads. Only the second one has `forwarding` set, without
// which the kernel tells a BPF program no routes; nothing that comes into it reaches the IP layer.
//
// N is an instance: a number that one process of a network namespace holds at a time (an abstract socket's
// name, which the kernel frees with the process). Marks, table, preference and names follow from it, so
// that processes do not meet.
//
// Invariants:
//   1. While the rule is there, a marked packet goes into the device or nowhere, unless it is for an address
//      of this machine, which the kernel decides before any rule (ask() tells).
//   2. What a killed process left under the instance is taken over: removed and made anew.
//   3. Everything is removed with the object.
//
// Threads: one; the network namespace is the one of the thread that made it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "lib/base/error.h"
#include "lib/base/unique_fd.h"
#include "lib/net/address.h"

namespace maglb {

inline constexpr uint32_t kProbeInstances = 16;
inline constexpr uint32_t kProbeMarkMask = 0xffff0000;
// The least MTU that IPv6 takes: with the largest encapsulation it fits into any path of 1,332 bytes.
inline constexpr uint32_t kProbeMtu = 1280;

// What follows from an instance's number.
struct ProbeInstance {
  uint32_t number = 0;  // below kProbeInstances

  uint32_t mark() const { return 0x6d600000 | number << 16; }  // with its lower half zero
  uint32_t table() const { return 27960 + number; }
  uint32_t preference() const { return 90 + number; }  // of the rules
  std::string entry_device() const { return "maglb-probe" + std::to_string(number); }
  std::string inner_device() const { return entry_device() + "i"; }
};

// What the kernel would do with a packet.
struct ProbeRoute {
  int ifindex = 0;
  bool is_local = false;            // it is for this machine itself
  std::optional<IpAddress> source;  // that a packet without one would get
};

class ProbeLink {
 public:
  // Holds the first free instance and makes its devices, and its rules and blackholes. kConflict when all
  // are held, kSystem when the kernel refuses (no CAP_NET_ADMIN).
  static Result<std::unique_ptr<ProbeLink>> make();
  ~ProbeLink();
  ProbeLink(const ProbeLink&) = delete;
  ProbeLink& operator=(const ProbeLink&) = delete;

  const ProbeInstance& instance() const { return instance_; }
  int entry_ifindex() const { return entry_ifindex_; }
  int inner_ifindex() const { return inner_ifindex_; }

  // Marked packets of this family have this source unless they are bound to another. Makes rule and routes
  // of the family, or mends them. REQUIRES: an address of this machine.
  Result<void> set_source(const IpAddress& source);

  // `mark` 0: of an unmarked packet. kNotFound when there is no route.
  Result<ProbeRoute> ask(const IpAddress& destination, uint32_t mark) const;

 private:
  struct Netlink;

  ProbeLink(ProbeInstance instance, UniqueFd hold, std::unique_ptr<Netlink> netlink);
  Result<void> make_devices();
  Result<void> make_rules(uint8_t family);
  void remove();
  Result<void> change_link(const std::string& device, uint32_t flags, uint32_t mask);

  const ProbeInstance instance_;
  const UniqueFd hold_;
  const std::unique_ptr<Netlink> netlink_;
  int entry_ifindex_ = 0;
  int inner_ifindex_ = 0;
};

}  // namespace maglb
