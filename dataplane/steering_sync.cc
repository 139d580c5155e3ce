#include "dataplane/steering_sync.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>

namespace maglb {
namespace {

constexpr Duration kPollEvery = std::chrono::seconds(1);

// All that steering asks of a service.
SteerRule rule_of(const ServiceSpec& service) {
  return {service.address, service.protocol, service.port.first, service.port.last};
}

std::optional<IpAddress> address_of(const sockaddr* socket_address) {
  if (socket_address == nullptr) {
    return std::nullopt;
  }
  if (socket_address->sa_family == AF_INET) {
    Be32 wire;
    std::memcpy(wire.bytes, &reinterpret_cast<const sockaddr_in*>(socket_address)->sin_addr, 4);
    return IpAddress::v4(wire);
  }
  if (socket_address->sa_family == AF_INET6) {
    IpAddress address;
    std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(socket_address)->sin6_addr, 16);
    return address;
  }
  return std::nullopt;
}

// REQUIRES: the addresses are of the prefix's family, so that those inside lie together.
void split_around(const IpPrefix& prefix, const std::set<IpAddress>& addresses, std::set<IpPrefix>& pieces) {
  const auto first = addresses.lower_bound(prefix.address);
  if (first == addresses.end() || !prefix.contains(*first)) {
    pieces.insert(prefix);
    return;
  }
  if (prefix.is_single()) {
    return;
  }
  IpPrefix half{prefix.address, static_cast<uint8_t>(prefix.length + 1)};
  split_around(half, addresses, pieces);
  half.address.bytes[prefix.length / 8] |= static_cast<uint8_t>(0x80 >> prefix.length % 8);
  split_around(half, addresses, pieces);
}

}  // namespace

std::set<IpPrefix> without(const IpPrefix& prefix, const std::set<IpAddress>& addresses) {
  std::set<IpAddress> inside;
  std::copy_if(addresses.begin(), addresses.end(), std::inserter(inside, inside.end()),
               [&](const IpAddress& address) { return prefix.contains(address); });
  std::set<IpPrefix> pieces;
  split_around(prefix, inside, pieces);
  return pieces;
}

SteerWanted steer_wanted_of(const std::vector<ServiceSpec>& services,
                            const std::set<IpAddress>& host_addresses) {
  SteerWanted wanted;
  for (const ServiceSpec& service : services) {
    const SteerRule rule = rule_of(service);
    wanted.packets.insert(rule);
    const std::set<IpPrefix> not_the_hosts = without(rule.destination, host_addresses);
    wanted.fragments.insert(not_the_hosts.begin(), not_the_hosts.end());
    // The host answers pings to its own addresses itself.
    if (service.options.forward_ping) {
      wanted.echoes.insert(rule.destination);
    } else {
      wanted.echoes.insert(not_the_hosts.begin(), not_the_hosts.end());
    }
  }
  return wanted;
}

Result<std::set<IpAddress>> host_addresses() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) {
    return fail_errno("reading the host's addresses", errno);
  }
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, freeifaddrs);
  std::set<IpAddress> addresses;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (const auto address = address_of(entry->ifa_addr)) {
      addresses.insert(*address);
    }
  }
  return addresses;
}

Result<SteerWanted> SteeringSync::wanted_of(const std::vector<ServiceSpec>& services) {
  auto addresses = host_addresses();
  if (!addresses) {
    return tl::unexpected(std::move(addresses.error()));
  }
  host_addresses_ = std::move(*addresses);
  SteerWanted wanted = steer_wanted_of(services, host_addresses_);
  wanted.add(fixed_);
  return wanted;
}

Result<void> SteeringSync::widen(const std::vector<ServiceSpec>& services) {
  if (ports_.empty()) {
    return {};
  }
  return wanted_of(services).and_then([&](SteerWanted wanted) {
    wanted.add(steered_);
    return sync(wanted);
  });
}

Result<void> SteeringSync::settle(const std::vector<ServiceSpec>& services) {
  if (ports_.empty()) {
    return {};
  }
  services_ = services;
  const auto settled = wanted_of(services).and_then([&](const SteerWanted& wanted) { return sync(wanted); });
  settled_ = settled.has_value();
  return settled;
}

Result<void> SteeringSync::sync(const SteerWanted& wanted) {
  for (Steering* port : ports_) {
    if (auto synced = port->sync(wanted); !synced) {
      return synced;
    }
  }
  steered_ = wanted;
  return {};
}

void SteeringSync::log_once(std::string problem) {
  if (!problem.empty() && problem != problem_) {
    spdlog::error("steering: {}", problem);
  }
  problem_ = std::move(problem);
}

void SteeringSync::poll_once(Time now) {
  if (ports_.empty() || now - last_poll_ < kPollEvery) {
    return;
  }
  last_poll_ = now;
  std::string problem;
  for (Steering* port : ports_) {
    const auto changed = port->follow_mac();
    if (!changed) {
      problem = port->interface() + ": " + changed.error().message;
    } else if (*changed) {
      spdlog::error(
          "interface {} has MAC address {} now: its services' packets reach the workers again when "
          "maglb-dataplane is restarted",
          port->interface(), (*changed)->to_string());
    }
  }
  if (auto followed = follow_host_addresses(); !followed) {
    problem = followed.error().message;
  }
  log_once(std::move(problem));
}

Result<void> SteeringSync::follow_host_addresses() {
  const auto addresses = host_addresses();
  if (!addresses) {
    return tl::unexpected(addresses.error());
  }
  return settled_ && *addresses == host_addresses_ ? Result<void>{} : settle(services_);
}

}  // namespace maglb
