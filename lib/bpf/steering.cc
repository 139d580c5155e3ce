#include "lib/bpf/steering.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <vector>

#include "lib/bpf/objects.h"
#include "lib/bpf/steer_maps.h"

namespace maglb {
namespace {

constexpr Duration kRetryEvery = std::chrono::milliseconds(20);

maglb_steer_key to_wire(const SteerKey& key) {
  maglb_steer_key wire{};
  std::copy(key.address.bytes.begin(), key.address.bytes.end(), wire.address);
  wire.protocol = static_cast<uint8_t>(key.protocol);
  wire.flags = key.fragments ? MAGLB_STEER_FRAGMENT : 0;
  wire.port[0] = static_cast<uint8_t>(key.port >> 8);
  wire.port[1] = static_cast<uint8_t>(key.port);
  return wire;
}

SteerKey from_wire(const maglb_steer_key& wire) {
  SteerKey key;
  std::copy(std::begin(wire.address), std::end(wire.address), key.address.bytes.begin());
  key.protocol = static_cast<Protocol>(wire.protocol);
  key.fragments = wire.flags == MAGLB_STEER_FRAGMENT;
  key.port = static_cast<uint16_t>((wire.port[0] << 8) | wire.port[1]);
  return key;
}

std::string describe(const SteerKey& key) {
  return key.fragments ? fmt::format("fragments to {}", key.address.to_string())
                       : fmt::format("{} {}:{}", to_string(key.protocol), key.address.to_string(), key.port);
}

Result<MacAddress> mac_of(const std::string& interface) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (!socket || ::ioctl(socket.get(), SIOCGIFHWADDR, &request) < 0) {
    return fail_errno(fmt::format("reading the MAC address of {}", interface), errno);
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
  const std::pair<UniqueFd*, const char*> maps[] = {{&steering.services_, MAGLB_STEER_SERVICES},
                                                    {&steering.config_, MAGLB_STEER_CONFIG},
                                                    {&steering.counters_, MAGLB_STEER_COUNTERS}};
  for (const auto& [fd, name] : maps) {
    auto map = open_map(program, name);
    if (!map) {
      return tl::unexpected<Error>(std::move(map.error()).within(interface));
    }
    *fd = std::move(*map);
  }
  const auto mac = mac_of(interface);
  if (!mac) {
    return tl::unexpected<Error>(mac.error());
  }
  if (auto told = steering.set_mac(*mac); !told) {
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
  return {};
}

Result<void> Steering::sync(const std::set<SteerKey>& wanted) {
  const auto present = entries();
  if (!present) {
    return tl::unexpected<Error>(present.error());
  }
  const uint8_t value = 1;
  for (const SteerKey& key : wanted) {
    if (present->contains(key)) {
      continue;
    }
    const maglb_steer_key wire = to_wire(key);
    if (const int rc = bpf_map_update_elem(services_.get(), &wire, &value, BPF_ANY); rc < 0) {
      return fail_errno(fmt::format("steering {}", describe(key)), -rc);
    }
  }
  for (const SteerKey& key : *present) {
    if (wanted.contains(key)) {
      continue;
    }
    const maglb_steer_key wire = to_wire(key);
    if (const int rc = bpf_map_delete_elem(services_.get(), &wire); rc < 0 && rc != -ENOENT) {
      return fail_errno(fmt::format("no longer steering {}", describe(key)), -rc);
    }
  }
  return {};
}

Result<std::set<SteerKey>> Steering::entries() const {
  std::set<SteerKey> keys;
  maglb_steer_key key{};
  maglb_steer_key* previous = nullptr;
  // We are the map's only writer, so the walk is not disturbed; the bound holds even if we are not.
  for (uint32_t i = 0; i <= MAGLB_STEER_MAX_SERVICES; ++i) {
    maglb_steer_key next{};
    const int rc = bpf_map_get_next_key(services_.get(), previous, &next);
    if (rc == -ENOENT) {
      return keys;
    }
    if (rc < 0) {
      return fail_errno("reading the steering map", -rc);
    }
    keys.insert(from_wire(next));
    key = next;
    previous = &key;
  }
  return keys;
}

Result<SteerCounters> Steering::counters() const {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) {
    return fail_errno("counting the possible CPUs", -cpus);
  }
  std::vector<uint64_t> per_cpu(static_cast<size_t>(cpus));
  uint64_t sums[MAGLB_STEERED_COUNTERS] = {};
  for (uint32_t i = 0; i < MAGLB_STEERED_COUNTERS; ++i) {
    if (const int rc = bpf_map_lookup_elem(counters_.get(), &i, per_cpu.data()); rc < 0) {
      return fail_errno("reading the steering counters", -rc);
    }
    for (const uint64_t value : per_cpu) {
      sums[i] += value;
    }
  }
  return SteerCounters{sums[MAGLB_STEERED_SERVICE], sums[MAGLB_STEERED_FRAGMENT], sums[MAGLB_STEERED_ICMP]};
}

}  // namespace maglb
