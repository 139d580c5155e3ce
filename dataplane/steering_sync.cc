#include "dataplane/steering_sync.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <cstring>
#include <memory>

namespace maglb {

std::set<SteerKey> steer_keys_of(const std::vector<ServiceSpec>& services,
                                 const std::set<IpAddress>& host_addresses) {
  std::set<SteerKey> keys;
  for (const ServiceSpec& service : services) {
    keys.insert(SteerKey::packets(service.address, service.protocol, service.port));
    if (!host_addresses.contains(service.address)) {
      keys.insert(SteerKey::later_fragments(service.address));
    }
  }
  return keys;
}

std::set<IpAddress> host_addresses() {
  std::set<IpAddress> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) {
    return addresses;
  }
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr != nullptr && entry->ifa_addr->sa_family == AF_INET) {
      Be32 wire;
      std::memcpy(wire.bytes, &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr, 4);
      addresses.insert(IpAddress::v4(wire));
    }
  }
  return addresses;
}

Result<void> SteeringSync::widen(const std::vector<ServiceSpec>& services) {
  if (ports_.empty()) {
    return {};
  }
  std::set<SteerKey> keys = steer_keys_of(services, host_addresses());
  keys.insert(steered_.begin(), steered_.end());
  return sync(keys);
}

Result<void> SteeringSync::settle(const std::vector<ServiceSpec>& services) {
  if (ports_.empty()) {
    return {};
  }
  return sync(steer_keys_of(services, host_addresses()));
}

Result<void> SteeringSync::sync(const std::set<SteerKey>& keys) {
  for (Steering* port : ports_) {
    if (auto synced = port->sync(keys); !synced) {
      return synced;
    }
  }
  steered_ = keys;
  return {};
}

}  // namespace maglb
