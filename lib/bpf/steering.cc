#include "lib/bpf/steering.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "lib/bpf/objects.h"
#include "lib/bpf/steer_maps.h"

namespace maglb {
namespace {

constexpr Duration kRetryEvery = std::chrono::milliseconds(20);

uint16_t swapped(uint16_t port) {
  return static_cast<uint16_t>(port << 8 | port >> 8);
}

maglb_steer_key to_wire(const SteerPort& port) {
  maglb_steer_key wire{};
  std::memcpy(wire.address, port.address.bytes.data(), sizeof wire.address);
  wire.protocol = static_cast<uint8_t>(port.protocol);
  wire.port = std::endian::native == std::endian::little ? swapped(port.port) : port.port;
  return wire;
}

SteerPort from_wire(const maglb_steer_key& wire) {
  SteerPort port;
  std::memcpy(port.address.bytes.data(), wire.address, sizeof wire.address);
  port.protocol = static_cast<Protocol>(wire.protocol);
  port.port = std::endian::native == std::endian::little ? swapped(wire.port) : wire.port;
  return port;
}

maglb_steer_prefix to_wire(const IpPrefix& prefix) {
  maglb_steer_prefix wire{};
  wire.bits = MAGLB_STEER_FAMILY_BITS + prefix.length;
  wire.family = prefix.is_v4() ? 4 : 6;
  std::memcpy(wire.address, prefix.address.bytes.data(), sizeof wire.address);
  return wire;
}

IpPrefix from_wire(const maglb_steer_prefix& wire) {
  IpPrefix prefix;
  std::memcpy(prefix.address.bytes.data(), wire.address, sizeof wire.address);
  prefix.length = static_cast<uint8_t>(wire.bits - MAGLB_STEER_FAMILY_BITS);
  return prefix;
}

// REQUIRES, as of what compile() made: the ranges fit.
maglb_steer_ports to_wire(const SteerRanges& ranges) {
  maglb_steer_ports wire{};
  wire.others = ranges.others ? 1 : 0;
  for (const SteerRange& range : ranges.ranges) {
    wire.ranges[wire.count++] = {range.low, range.high, range.protocols, 0};
  }
  return wire;
}

SteerRanges from_wire(const maglb_steer_ports& wire) {
  SteerRanges ranges;
  ranges.others = wire.others != 0;
  for (uint16_t i = 0; i < std::min<uint16_t>(wire.count, MAGLB_STEER_MAX_RANGES); ++i) {
    ranges.ranges.push_back({wire.ranges[i].low, wire.ranges[i].high, wire.ranges[i].protocols});
  }
  return ranges;
}

uint8_t to_wire(uint8_t purposes) {
  return purposes;
}

uint8_t from_wire(uint8_t purposes) {
  return purposes;
}

maglb_steer_vlan to_wire(const std::pair<uint16_t, uint16_t>& vlan) {
  return {vlan.first, vlan.second};
}

std::pair<uint16_t, uint16_t> from_wire(const maglb_steer_vlan& wire) {
  return {wire.outer, wire.inner};
}

std::string describe(const SteerPort& port) {
  return fmt::format("{} {} port {}", to_string(port.protocol), port.address.to_string(), port.port);
}

std::string describe(const IpPrefix& prefix) {
  return prefix.to_string();
}

std::string describe(const std::pair<uint16_t, uint16_t>& vlan) {
  return fmt::format("VLAN {}/{}", vlan.first, vlan.second);
}

template <typename Key, typename Wire>
Result<void> write(int map, const Key& key, const Wire& value) {
  const auto wire = to_wire(key);
  if (const int rc = bpf_map_update_elem(map, &wire, &value, BPF_ANY); rc < 0) {
    return fail_errno(fmt::format("steering {}", describe(key)), -rc);
  }
  return {};
}

template <typename Key>
Result<void> erase(int map, const Key& key) {
  const auto wire = to_wire(key);
  if (const int rc = bpf_map_delete_elem(map, &wire); rc < 0 && rc != -ENOENT) {
    return fail_errno(fmt::format("no longer steering {}", describe(key)), -rc);
  }
  return {};
}

template <typename Key>
Result<void> add_keys(int map, const std::set<Key>& wanted, const std::set<Key>& present) {
  for (const Key& key : wanted) {
    if (!present.contains(key)) {
      if (auto written = write(map, key, uint8_t{1}); !written) {
        return written;
      }
    }
  }
  return {};
}

template <typename Key>
Result<void> remove_keys(int map, const std::set<Key>& wanted, const std::set<Key>& present) {
  for (const Key& key : present) {
    if (!wanted.contains(key)) {
      if (auto erased = erase(map, key); !erased) {
        return erased;
      }
    }
  }
  return {};
}

template <typename Value>
std::vector<IpPrefix> shortest_first(const std::map<IpPrefix, Value>& values) {
  std::vector<IpPrefix> order;
  for (const auto& [prefix, value] : values) {
    order.push_back(prefix);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const IpPrefix& a, const IpPrefix& b) { return a.length < b.length; });
  return order;
}

// Every value has all that holds for the addresses that find it, now (N) or before (B). The longest first:
// an address finds a value of N only when all longer prefixes have theirs, so it is the right one; else it
// finds the one of B that it always found.
template <typename Value>
Result<void> write_prefixes(int map, const std::map<IpPrefix, Value>& wanted,
                            const std::map<IpPrefix, Value>& present) {
  const std::vector<IpPrefix> order = shortest_first(wanted);
  for (auto prefix = order.rbegin(); prefix != order.rend(); ++prefix) {
    const auto& value = wanted.at(*prefix);
    const auto there = present.find(*prefix);
    if (there == present.end() || there->second != value) {
      if (auto written = write(map, *prefix, to_wire(value)); !written) {
        return written;
      }
    }
  }
  return {};
}

// Then the other way round: an address finds the longest of the prefixes that go, as before, until that one
// goes, the last of those it is in.
template <typename Value>
Result<void> erase_prefixes(int map, const std::map<IpPrefix, Value>& wanted,
                            const std::map<IpPrefix, Value>& present) {
  for (const IpPrefix& prefix : shortest_first(present)) {
    if (!wanted.contains(prefix)) {
      if (auto erased = erase(map, prefix); !erased) {
        return erased;
      }
    }
  }
  return {};
}

// Returns when every run of a BPF program that has begun before has ended: the kernel waits for its RCU
// readers, some 10 ms. Where cores run without a tick (nohz_full) it refuses; no run lasts as long as the
// nap.
void wait_for_readers() {
  constexpr auto kNap = std::chrono::milliseconds(50);
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0) {
    std::this_thread::sleep_for(kNap);
  }
}

bool has_prefixes(const SteerTables& tables, const SteerTables& wanted) {
  const auto is_in = [&tables](const auto& prefix) { return tables.prefixes.contains(prefix.first); };
  const auto is_kept = [&tables](const auto& prefix) { return tables.addresses.contains(prefix.first); };
  return std::all_of(wanted.prefixes.begin(), wanted.prefixes.end(), is_in) &&
         std::all_of(wanted.addresses.begin(), wanted.addresses.end(), is_kept);
}

// We are the maps' only writer, so the walk is not disturbed; the bound holds even if we are not.
template <typename Wire>
Result<std::vector<Wire>> keys_of(int map, uint32_t most) {
  std::vector<Wire> keys;
  while (keys.size() <= most) {
    Wire next{};
    const int rc = bpf_map_get_next_key(map, keys.empty() ? nullptr : &keys.back(), &next);
    if (rc == -ENOENT) {
      break;
    }
    if (rc < 0) {
      return fail_errno("reading a steering map", -rc);
    }
    keys.push_back(next);
  }
  return keys;
}

template <typename Wire, typename Key>
Result<void> read_keys(int map, uint32_t most, std::set<Key>& into) {
  const auto keys = keys_of<Wire>(map, most);
  if (!keys) {
    return tl::unexpected<Error>(keys.error());
  }
  for (const Wire& key : *keys) {
    into.insert(from_wire(key));
  }
  return {};
}

template <typename Wire, typename Value>
Result<void> read_prefixes(int map, uint32_t most, std::map<IpPrefix, Value>& into) {
  const auto keys = keys_of<maglb_steer_prefix>(map, most);
  if (!keys) {
    return tl::unexpected<Error>(keys.error());
  }
  for (const maglb_steer_prefix& key : *keys) {
    Wire value{};
    if (const int rc = bpf_map_lookup_elem(map, &key, &value); rc < 0) {
      return fail_errno("reading a steering map", -rc);
    }
    into.emplace(from_wire(key), from_wire(value));
  }
  return {};
}

// By index: the interface may have another name by now.
Result<MacAddress> mac_of(int ifindex) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  if (!socket || ::if_indextoname(static_cast<unsigned>(ifindex), request.ifr_name) == nullptr ||
      ::ioctl(socket.get(), SIOCGIFHWADDR, &request) < 0) {
    return fail_errno("reading the interface's MAC address", errno);
  }
  MacAddress mac;
  std::copy_n(reinterpret_cast<const uint8_t*>(request.ifr_hwaddr.sa_data), 6, mac.bytes.begin());
  return mac;
}

}  // namespace

Result<SteeringObject> SteeringObject::create() {
  UniqueFd fd(::memfd_create("maglb_steer.bpf.o", MFD_CLOEXEC));
  if (!fd) {
    return fail_errno("memfd_create", errno);
  }
  const std::span<const uint8_t> elf = steer_object();
  if (::write(fd.get(), elf.data(), elf.size()) != static_cast<ssize_t>(elf.size())) {
    return fail_errno("writing the steering program to memory", errno);
  }
  return SteeringObject(std::move(fd));
}

std::string SteeringObject::path() const {
  return fmt::format("/proc/self/fd/{}", fd_.get());
}

Result<void> clear_leftover_steering(const std::string& interface, Duration patience) {
  const auto ifindex = interface_index(interface);
  if (!ifindex) {
    return tl::unexpected<Error>(ifindex.error());
  }
  const Time deadline = monotonic_now() + patience;
  for (;;) {
    auto found = find_xdp(*ifindex);
    if (!found) {
      return tl::unexpected<Error>(std::move(found.error()).within(interface));
    }
    if (!found->has_value()) {
      return {};
    }
    const XdpAttachment& attachment = **found;
    if (attachment.program.name != MAGLB_STEER_PROGRAM) {
      return fail(ErrorKind::kConflict, foreign_program(interface, "an XDP", attachment.program));
    }
    auto detached = detach_xdp(*ifindex, attachment);
    // After success the loop looks once more: another mode may hold a program too.
    if (!detached) {
      if (detached.error().kind != ErrorKind::kConflict || monotonic_now() >= deadline) {
        return tl::unexpected<Error>(std::move(detached.error()).within(interface));
      }
      std::this_thread::sleep_for(kRetryEvery);
    }
  }
}

Result<Steering> Steering::open(const std::string& interface) {
  const auto ifindex = interface_index(interface);
  if (!ifindex) {
    return tl::unexpected<Error>(ifindex.error());
  }
  auto found = find_xdp(*ifindex);
  if (!found) {
    return tl::unexpected<Error>(std::move(found.error()).within(interface));
  }
  if (!found->has_value()) {
    return fail(ErrorKind::kNotFound, fmt::format("interface {} has no XDP program", interface));
  }
  const BpfProgram& program = (*found)->program;
  if (program.name != MAGLB_STEER_PROGRAM) {
    return fail(ErrorKind::kConflict, foreign_program(interface, "an XDP", program));
  }
  Steering steering;
  const std::pair<UniqueFd*, const char*> maps[] = {
      {&steering.services_, MAGLB_STEER_SERVICES},   {&steering.prefixes_, MAGLB_STEER_PREFIXES},
      {&steering.addresses_, MAGLB_STEER_ADDRESSES}, {&steering.vlans_, MAGLB_STEER_VLANS},
      {&steering.config_, MAGLB_STEER_CONFIG},       {&steering.counters_, MAGLB_STEER_COUNTERS}};
  for (const auto& [fd, name] : maps) {
    auto map = open_map(program, name);
    if (!map) {
      return tl::unexpected<Error>(std::move(map.error()).within(interface));
    }
    *fd = std::move(*map);
  }
  steering.interface_ = interface;
  steering.ifindex_ = *ifindex;
  if (auto told = mac_of(*ifindex).and_then([&](const MacAddress& mac) { return steering.set_mac(mac); });
      !told) {
    return tl::unexpected<Error>(std::move(told.error()).within(interface));
  }
  return steering;
}

Result<void> Steering::set_mac(const MacAddress& mac) {
  maglb_steer_config config{};
  std::copy(mac.bytes.begin(), mac.bytes.end(), config.mac);
  config.ready = 1;
  const uint32_t zero = 0;
  if (const int rc = bpf_map_update_elem(config_.get(), &zero, &config, BPF_ANY); rc < 0) {
    return fail_errno("setting the steering program's MAC address", -rc);
  }
  mac_ = mac;
  return {};
}

Result<std::optional<MacAddress>> Steering::follow_mac() {
  const auto mac = mac_of(ifindex_);
  if (!mac) {
    return tl::unexpected<Error>(mac.error());
  }
  if (*mac == mac_) {
    return std::nullopt;
  }
  if (auto told = set_mac(*mac); !told) {
    return tl::unexpected<Error>(std::move(told.error()));
  }
  return *mac;
}

// A packet is steered if the services or the prefixes say so: while the prefixes change, the services are
// those of before and of now together. The program looks into one after the other, and into a map's prefixes
// from the shortest on: a run that was too early for what has come must end before anything goes.
Result<void> Steering::sync(const SteerWanted& wanted) {
  const auto target = compile(wanted);
  if (!target) {
    return tl::unexpected<Error>(target.error());
  }
  const auto present = tables();
  if (!present) {
    return tl::unexpected<Error>(present.error());
  }
  return add(*target, *present).and_then([&] { return remove(*target, *present); });
}

Result<void> Steering::add(const SteerTables& wanted, const SteerTables& present) {
  auto added = add_keys(vlans_.get(), wanted.vlans, present.vlans).and_then([&] {
    return add_keys(services_.get(), wanted.services, present.services);
  });
  if (!added) {
    return added;
  }
  // What a prefix loses, or a longer one hides, is among the services, since now or since an earlier sync().
  if (!present.prefixes.empty() && wanted.prefixes != present.prefixes) {
    wait_for_readers();
  }
  return write_prefixes(prefixes_.get(), wanted.prefixes, present.prefixes).and_then([&] {
    return write_prefixes(addresses_.get(), wanted.addresses, present.addresses);
  });
}

Result<void> Steering::remove(const SteerTables& wanted, const SteerTables& present) {
  if (!has_prefixes(wanted, present)) {
    wait_for_readers();
  }
  return erase_prefixes(addresses_.get(), wanted.addresses, present.addresses)
      .and_then([&] { return erase_prefixes(prefixes_.get(), wanted.prefixes, present.prefixes); })
      .and_then([&] { return remove_keys(services_.get(), wanted.services, present.services); })
      .and_then([&] { return remove_keys(vlans_.get(), wanted.vlans, present.vlans); });
}

Result<SteerTables> Steering::tables() const {
  SteerTables tables;
  auto read =
      read_keys<maglb_steer_key>(services_.get(), MAGLB_STEER_MAX_SERVICES, tables.services)
          .and_then([&] {
            return read_prefixes<maglb_steer_ports>(prefixes_.get(), MAGLB_STEER_MAX_PREFIXES,
                                                    tables.prefixes);
          })
          .and_then([&] {
            return read_prefixes<uint8_t>(addresses_.get(), MAGLB_STEER_MAX_ADDRESSES, tables.addresses);
          })
          .and_then(
              [&] { return read_keys<maglb_steer_vlan>(vlans_.get(), MAGLB_STEER_MAX_VLANS, tables.vlans); });
  if (!read) {
    return tl::unexpected<Error>(std::move(read.error()));
  }
  return tables;
}

Result<SteerCounters> Steering::counters() const {
  return read_counters(counters_.get(), MAGLB_STEERED_COUNTERS).map([](const std::vector<uint64_t>& values) {
    return SteerCounters{values[MAGLB_STEERED_SERVICE],      values[MAGLB_STEERED_FRAGMENT],
                         values[MAGLB_STEERED_ICMP],         values[MAGLB_STEERED_ECHO],
                         values[MAGLB_STEERED_TUNNEL_ERROR], values[MAGLB_KEPT_VLAN],
                         values[MAGLB_KEPT_HEADERS]};
  });
}

}  // namespace maglb
