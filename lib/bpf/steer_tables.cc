#include "lib/bpf/steer_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "lib/bpf/steer_maps.h"

namespace maglb {
namespace {

constexpr uint16_t kLastVlan = 4094;  // IEEE 802.1Q: 4095 is reserved

std::string describe(const SteerRule& rule) {
  return fmt::format("{} {} ports {}-{}", to_string(rule.protocol), rule.destination.to_string(),
                     rule.first_port, rule.last_port);
}

bool is_prefix(const IpPrefix& prefix) {
  return prefix.length <= IpPrefix::kBits && masked(prefix.address, prefix.length) == prefix.address;
}

Result<void> check_rule(const SteerRule& rule) {
  const bool known =
      rule.protocol == Protocol::kAny || rule.protocol == Protocol::kTcp || rule.protocol == Protocol::kUdp;
  if (!is_prefix(rule.destination) || !known || rule.first_port > rule.last_port) {
    return fail(ErrorKind::kInvalid, fmt::format("steering {}: there is no such rule", describe(rule)));
  }
  return {};
}

Result<void> check_vlan(uint16_t outer, uint16_t inner) {
  if (outer > kLastVlan || inner > kLastVlan || (outer == 0 && inner != 0)) {
    return fail(ErrorKind::kInvalid,
                fmt::format("steering VLAN {}/{}: there is no such stack", outer, inner));
  }
  return {};
}

Result<void> check_size(const char* what, size_t size, size_t most) {
  return size <= most ? Result<void>{}
                      : fail(ErrorKind::kInvalid, fmt::format("steering {} {}: {} fit", size, what, most));
}

uint8_t protocols_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTcp:
      return MAGLB_STEER_TCP;
    case Protocol::kUdp:
      return MAGLB_STEER_UDP;
    case Protocol::kAny:
      break;
  }
  return MAGLB_STEER_TCP | MAGLB_STEER_UDP;
}

// How many ranges of TCP and of UDP begin at a port, less those that ended before it.
using Turns = std::map<uint32_t, std::array<int, 2>>;

void turn(Turns& turns, uint32_t port, uint8_t protocols, int by) {
  turns[port][0] += (protocols & MAGLB_STEER_TCP) != 0 ? by : 0;
  turns[port][1] += (protocols & MAGLB_STEER_UDP) != 0 ? by : 0;
}

// Ranges in any order, in the form of invariant 2.
std::vector<SteerRange> normalized(const std::vector<SteerRange>& ranges) {
  Turns turns;
  for (const SteerRange& range : ranges) {
    turn(turns, range.low, range.protocols, 1);
    turn(turns, uint32_t{range.high} + 1, range.protocols, -1);
  }
  std::vector<SteerRange> normal;
  std::array<int, 2> open{};
  uint8_t before = 0;
  for (const auto& [port, change] : turns) {
    open[0] += change[0];
    open[1] += change[1];
    const auto now =
        static_cast<uint8_t>((open[0] > 0 ? MAGLB_STEER_TCP : 0) | (open[1] > 0 ? MAGLB_STEER_UDP : 0));
    if (now == before) {
      continue;
    }
    if (before != 0) {
      normal.back().high = static_cast<uint16_t>(port - 1);
    }
    if (now != 0) {
      normal.push_back({static_cast<uint16_t>(port), 65535, now});
    }
    before = now;
  }
  return normal;
}

void append(SteerRanges& into, const SteerRanges& from) {
  into.ranges.insert(into.ranges.end(), from.ranges.begin(), from.ranges.end());
  into.others = into.others || from.others;
}

void merge(SteerRanges& into, const SteerRanges& from) {
  append(into, from);
  into.ranges = normalized(into.ranges);
}

void merge(uint8_t& into, uint8_t from) {
  into |= from;
}

// Invariant 1. In the order of prefixes one that is around another comes before it, with nothing between
// them but prefixes that are inside the first as well, or of the other family.
template <typename Value>
void inherit(std::map<IpPrefix, Value>& values) {
  for (const bool v4 : {false, true}) {
    std::vector<typename std::map<IpPrefix, Value>::const_iterator> around;
    for (auto here = values.begin(); here != values.end(); ++here) {
      if (here->first.is_v4() != v4) {
        continue;
      }
      while (!around.empty() && !around.back()->first.contains(here->first)) {
        around.pop_back();
      }
      if (!around.empty()) {
        merge(here->second, around.back()->second);
      }
      around.push_back(here);
    }
  }
}

void add_rule(const SteerRule& rule, SteerTables& tables) {
  if (rule.destination.is_single() && rule.first_port == rule.last_port) {
    for (const Protocol protocol : {Protocol::kTcp, Protocol::kUdp}) {
      if (rule.protocol == protocol || rule.protocol == Protocol::kAny) {
        tables.services.insert({rule.destination.address, protocol, rule.first_port});
      }
    }
    return;
  }
  const bool everything = rule.protocol == Protocol::kAny && rule.first_port == 0 && rule.last_port == 65535;
  append(tables.prefixes[rule.destination],
         SteerRanges{{{rule.first_port, rule.last_port, protocols_of(rule.protocol)}}, everything});
}

Result<void> add_addresses(const std::set<IpPrefix>& prefixes, uint8_t purpose, SteerTables& tables) {
  for (const IpPrefix& prefix : prefixes) {
    if (!is_prefix(prefix)) {
      return fail(ErrorKind::kInvalid, fmt::format("steering {}: it is no prefix", prefix.to_string()));
    }
    tables.addresses[prefix] |= purpose;
  }
  return {};
}

Result<void> check_sizes(const SteerTables& tables) {
  for (const auto& [prefix, ports] : tables.prefixes) {
    if (ports.ranges.size() > MAGLB_STEER_MAX_RANGES) {
      return fail(
          ErrorKind::kInvalid,
          fmt::format("steering {}: {} port ranges, with those of the prefixes around it and those that "
                      "a change replaces; {} fit",
                      prefix.to_string(), ports.ranges.size(), MAGLB_STEER_MAX_RANGES));
    }
  }
  return check_size("ports of addresses", tables.services.size(), MAGLB_STEER_MAX_SERVICES)
      .and_then([&] { return check_size("prefixes", tables.prefixes.size(), MAGLB_STEER_MAX_PREFIXES); })
      .and_then([&] { return check_size("addresses", tables.addresses.size(), MAGLB_STEER_MAX_ADDRESSES); })
      .and_then([&] { return check_size("VLANs", tables.vlans.size(), MAGLB_STEER_MAX_VLANS); });
}

}  // namespace

void SteerWanted::add(const SteerWanted& other) {
  packets.insert(other.packets.begin(), other.packets.end());
  fragments.insert(other.fragments.begin(), other.fragments.end());
  echoes.insert(other.echoes.begin(), other.echoes.end());
  tunnel_errors.insert(other.tunnel_errors.begin(), other.tunnel_errors.end());
  vlans.insert(other.vlans.begin(), other.vlans.end());
}

Result<SteerTables> compile(const SteerWanted& wanted) {
  SteerTables tables;
  for (const SteerRule& rule : wanted.packets) {
    if (auto checked = check_rule(rule); !checked) {
      return tl::unexpected<Error>(std::move(checked.error()));
    }
    add_rule(rule, tables);
  }
  for (const auto& [outer, inner] : wanted.vlans) {
    if (auto checked = check_vlan(outer, inner); !checked) {
      return tl::unexpected<Error>(std::move(checked.error()));
    }
  }
  tables.vlans = wanted.vlans;
  auto added =
      add_addresses(wanted.fragments, MAGLB_STEER_FRAGMENTS, tables)
          .and_then([&] { return add_addresses(wanted.echoes, MAGLB_STEER_ECHOES, tables); })
          .and_then([&] { return add_addresses(wanted.tunnel_errors, MAGLB_STEER_TUNNEL_ERRORS, tables); });
  if (!added) {
    return tl::unexpected<Error>(std::move(added.error()));
  }
  for (auto& [prefix, ports] : tables.prefixes) {
    ports.ranges = normalized(ports.ranges);
  }
  inherit(tables.prefixes);
  inherit(tables.addresses);
  if (auto checked = check_sizes(tables); !checked) {
    return tl::unexpected<Error>(std::move(checked.error()));
  }
  return tables;
}

}  // namespace maglb
