// What is to be steered, and the tables that the steering program has of it (steer_maps.h), without a kernel.
//
// Compiling is exact: a packet is in the tables if and only if a rule wants it. A lookup in the kernel finds
// the longest prefix only, so
//   1. every prefix has, beside its own ranges, those of all prefixes around it;
//   2. the ranges of a prefix ascend, do not overlap, and two that touch have different protocols: one set of
//      rules has one form, and never one that takes in a port that nobody asked for.
// A rule for one address and one port is an entry by itself (two, for TCP and UDP) and not in the prefixes.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/net/prefix.h"

namespace maglb {

// TCP and UDP with kAny, and with kAny and all ports every other protocol too, but for ICMP, ICMPv6 and IGMP.
struct SteerRule {
  IpPrefix destination;
  Protocol protocol = Protocol::kAny;
  uint16_t first_port = 0;
  uint16_t last_port = 65535;

  friend auto operator<=>(const SteerRule&, const SteerRule&) = default;
};

struct SteerWanted {
  std::set<SteerRule> packets = {};
  // Later fragments have no ports. What is put in here is lost to the host: not its own addresses.
  std::set<IpPrefix> fragments = {};
  std::set<IpPrefix> echoes = {};
  // The outer sources of our tunnels. ICMP errors about UDP from there are taken, whoever sent it.
  std::set<IpPrefix> tunnel_errors = {};
  // Outer and inner id of frames that are looked at although they are tagged; inner 0: a single tag. {0, 0}
  // are frames with a priority only. Two tags of one stack in either order are two entries.
  std::set<std::pair<uint16_t, uint16_t>> vlans = {};

  // Makes it want what `other` wants, too.
  void add(const SteerWanted& other);
  friend bool operator==(const SteerWanted&, const SteerWanted&) = default;
};

// For one address.
struct SteerPort {
  IpAddress address;
  Protocol protocol = Protocol::kTcp;  // not kAny
  uint16_t port = 0;
  friend auto operator<=>(const SteerPort&, const SteerPort&) = default;
};

struct SteerRange {
  uint16_t low = 0;
  uint16_t high = 0;
  uint8_t protocols = 0;  // MAGLB_STEER_TCP | MAGLB_STEER_UDP
  friend bool operator==(const SteerRange&, const SteerRange&) = default;
};

struct SteerRanges {
  std::vector<SteerRange> ranges;
  bool others = false;
  friend bool operator==(const SteerRanges&, const SteerRanges&) = default;
};

struct SteerTables {
  std::set<SteerPort> services;
  std::map<IpPrefix, SteerRanges> prefixes;
  std::map<IpPrefix, uint8_t> addresses;  // MAGLB_STEER_FRAGMENTS and so on
  std::set<std::pair<uint16_t, uint16_t>> vlans = {};

  friend bool operator==(const SteerTables&, const SteerTables&) = default;
};

// Kind kInvalid, naming what is wrong: a rule or prefix that can not be, ids that no tag has, more than the
// tables hold; above all a prefix with more ranges than MAGLB_STEER_MAX_RANGES.
Result<SteerTables> compile(const SteerWanted& wanted);

}  // namespace maglb
