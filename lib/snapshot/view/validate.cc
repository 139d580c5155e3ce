#include "lib/snapshot/view/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "lib/base/name.h"
#include "lib/base/prime.h"

namespace maglb {
namespace {

// Whether packets can be sent to it.
bool is_unicast(const IpAddress& address) {
  return !address.is_unspecified() && !address.is_multicast() &&
         !(address.is_v4() && address.bytes[12] >= 240);
}

tl::unexpected<Error> refuse(std::string message) {
  return fail(ErrorKind::kInvalid, std::move(message));
}

Result<void> validate_backends(const PoolSpec& pool) {
  if (pool.backends.size() > kMaxBackendsPerPool) {
    return refuse(
        fmt::format("{} backends, at most {} are possible", pool.backends.size(), kMaxBackendsPerPool));
  }
  std::unordered_set<std::string_view> names;
  std::unordered_set<std::string_view> server_ids;
  for (const BackendSpec& backend : pool.backends) {
    if (!is_backend_name(backend.name)) {
      return refuse(fmt::format("a backend's name is not {}", kNameRule));
    }
    if (!names.insert(backend.name).second) {
      return refuse(fmt::format("backend {} is there twice", backend.name));
    }
    if (!is_unicast(backend.address)) {
      return refuse(
          fmt::format("backend {}: {} is not a unicast address", backend.name, backend.address.to_string()));
    }
    for (const std::string& id : backend.server_ids) {
      if (id.empty() || id.size() > kLongestServerId || !server_ids.insert(id).second) {
        return refuse(fmt::format("backend {}: a server id is another's too, or not of 1..{} octets",
                                  backend.name, kLongestServerId));
      }
    }
    if (backend.weight > kMaxBackendWeight) {
      return refuse(fmt::format("backend {}: weight {} is not in 0..{}", backend.name, backend.weight,
                                kMaxBackendWeight));
    }
    if (backend.state > BackendState::kDown) {
      return refuse(
          fmt::format("backend {}: state {} is not known", backend.name, static_cast<int>(backend.state)));
    }
  }
  return {};
}

Result<void> validate_slots(const PoolSpec& pool) {
  if (pool.slots.size() < 3 || pool.slots.size() > kMaxTableSize || !is_prime(pool.slots.size())) {
    return refuse(
        fmt::format("a table of {} slots; expected a prime in 3..{}", pool.slots.size(), kMaxTableSize));
  }
  if (pool.slots[0] == kNoBackend) {
    const bool all =
        std::all_of(pool.slots.begin(), pool.slots.end(), [](uint16_t slot) { return slot == kNoBackend; });
    return all ? Result<void>() : refuse("some slots name a backend and others none");
  }
  // One byte a backend stays in the first-level cache, where the backends' names and states would not.
  std::vector<uint8_t> takes_flows;
  for (const BackendSpec& backend : pool.backends) {
    takes_flows.push_back(backend.state == BackendState::kUp || backend.state == BackendState::kUnhealthy);
  }
  for (const uint16_t slot : pool.slots) {
    if (slot >= takes_flows.size()) {
      return refuse(fmt::format("a slot names backend {} of {}", slot, pool.backends.size()));
    }
    // One that fails its probes may be in the table, where it is the last one left.
    if (takes_flows[slot] == 0) {
      return refuse(
          fmt::format("a slot names backend {}, which takes no new flows", pool.backends[slot].name));
    }
  }
  return {};
}

}  // namespace

Result<void> validate(const PoolSpec& pool) {
  if (!is_name(pool.name)) {
    return refuse(fmt::format("a pool's name is not {}", kNameRule));
  }
  if (pool.scheduler > kLastScheduler || pool.source_prefix_v4 > 32 || pool.source_prefix_v6 > 128) {
    return refuse(fmt::format(
        "pool {}: its scheduler is not known, or its source prefix longer than an address", pool.name));
  }
  auto valid = validate_backends(pool).and_then([&] { return validate_slots(pool); });
  if (!valid) {
    return tl::unexpected(std::move(valid.error()).within("pool " + pool.name));
  }
  return valid;
}

namespace {

Result<void> validate(const ServiceOptions& options) {
  if (options.oversize > Oversize::kInner || options.gue_port == 0 ||
      (options.mss != 0 && options.mss < kMinMss)) {
    return refuse("an option's value is not known");
  }
  for (const auto* list : {&options.source_allow, &options.source_deny}) {
    if (list->size() > kMaxSourcePrefixes) {
      return refuse(fmt::format("{} source prefixes are more than {}", list->size(), kMaxSourcePrefixes));
    }
    for (const IpPrefix& prefix : *list) {
      if (prefix.length > IpPrefix::kBits || masked(prefix.address, prefix.length) != prefix.address) {
        return refuse("a source prefix has bits beyond its length");
      }
    }
  }
  uint32_t ids = 0;
  for (const QuicLbConfig& config : options.quic) {
    if (!config.valid() || (ids >> config.id & 1) != 0) {
      return refuse("a configuration of QUIC connection ids cannot be");
    }
    ids |= 1u << config.id;
  }
  return {};
}

}  // namespace

Result<void> validate(const ServiceSpec& service) {
  if (!is_name(service.name)) {
    return refuse(fmt::format("a service's name is not {}", kNameRule));
  }
  const auto refuse_with = [&](std::string why) {
    return refuse(fmt::format("service {}: {}", service.name, why));
  };
  const IpPrefix& address = service.address;
  if (address.length > IpPrefix::kBits || masked(address.address, address.length) != address.address) {
    return refuse_with("its address has bits beyond its length");
  }
  if (!is_unicast(address.address) && !(address.address.is_unspecified() && !address.is_single())) {
    return refuse_with(address.to_short_string() + " is not a unicast address");
  }
  if (service.protocol != Protocol::kTcp && service.protocol != Protocol::kUdp &&
      service.protocol != Protocol::kAny) {
    return refuse_with(fmt::format("protocol {} is not TCP, UDP or any", static_cast<int>(service.protocol)));
  }
  if (service.port.last < service.port.first || (service.port.first == 0 && !service.port.is_any())) {
    return refuse_with("its ports are not in 1..65535");
  }
  if (service.forward > kLastForwardMode) {
    return refuse_with(fmt::format("forward mode {} is not known", static_cast<int>(service.forward)));
  }
  if (auto valid = validate(service.options); !valid) {
    return refuse_with(valid.error().message);
  }
  if (service.forward == ForwardMode::kNat && (!service.track_flows || service.protocol == Protocol::kAny)) {
    return refuse_with("nat needs flows of TCP or UDP");
  }
  for (const Duration timeout :
       {service.opening_timeout, service.established_timeout, service.closing_timeout, service.udp_timeout}) {
    if (timeout < std::chrono::milliseconds(1) || timeout > kLongestTimeout) {
      return refuse_with("a timeout is not in 1 ms..24 h");
    }
  }
  return {};
}

}  // namespace maglb
