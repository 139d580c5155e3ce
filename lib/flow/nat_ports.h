// The addresses and ports that NAT sends from, and which worker owns which.
//
// Every worker owns one run of the port range of every address, all runs of one length (the share); what
// the division leaves over at the end of the range is nobody's. So the address and port that a reply comes
// to name the worker that has its session, and no two workers ever write one session.
//
// Layout: up to 256 addresses, IPv4 in front of IPv6, each with its index; and a table of 512 places to find
// an address by, at most half full, probed from a place that the address's hash gives. The addresses are
// the operator's own, so nobody can aim at a place.
//
// Threads: immutable once made.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/error.h"
#include "lib/net/address.h"
#include "lib/net/prefix.h"

namespace maglb {

struct NatPortRange {
  uint16_t first = 1024;
  uint16_t last = 65535;  // included
  uint32_t size() const { return uint32_t{last} - first + 1; }
};

class NatPorts {
 public:
  static constexpr size_t kMaxAddresses = 256;

  // Every address of the prefixes, the first and the last of each included. An error: none or more than
  // kMaxAddresses addresses, one twice, a range that is empty, holds port 0, or has fewer ports than there
  // are workers; no worker.
  static Result<NatPorts> make(std::span<const IpPrefix> prefixes, NatPortRange range, uint32_t workers);

  // Of a machine's sources; nothing if it has none.
  static Result<std::optional<NatPorts>> of_sources(const std::optional<IpPrefix>& v4,
                                                    const std::optional<IpPrefix>& v6, NatPortRange range,
                                                    uint32_t workers);

  // The same addresses with other ports, all of one worker. REQUIRES: a range that make() takes.
  NatPorts with_ports(NatPortRange range) const;

  std::span<const IpAddress> addresses() const { return addresses_; }
  uint32_t workers() const { return workers_; }
  // Ports of one address that one worker owns.
  uint32_t share() const { return share_; }
  // The first port of a worker's share.
  uint16_t first_port(uint32_t worker) const { return static_cast<uint16_t>(range_.first + worker * share_); }

  // Indexes of the addresses of one family: first, and how many.
  struct Family {
    uint32_t first = 0;
    uint32_t count = 0;
  };
  Family family(bool is_v4) const {
    const auto all = static_cast<uint32_t>(addresses_.size());
    return is_v4 ? Family{0, v4_count_} : Family{v4_count_, all - v4_count_};
  }

  // O(1). None: not an address of ours.
  std::optional<uint8_t> index_of(const IpAddress& address) const;
  // O(1). None: not an address of ours, or a port that belongs to no worker.
  std::optional<uint32_t> owner_of(const IpAddress& address, uint16_t port) const;

 private:
  static constexpr size_t kPlaces = 2 * kMaxAddresses;
  static constexpr uint16_t kEmpty = 0xffff;

  NatPorts() = default;
  static size_t place_of(const IpAddress& address) { return IpAddressHash{}(address) % kPlaces; }

  std::vector<IpAddress> addresses_;
  std::array<uint16_t, kPlaces> places_ = {};
  NatPortRange range_;
  uint32_t v4_count_ = 0;
  uint32_t workers_ = 0;
  uint32_t share_ = 0;
};

}  // namespace maglb
