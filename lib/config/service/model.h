// What maglb serves: maglb.yaml as plain data. The same file on every machine of a fleet.
//
// A ServiceConfig that parse_service_config() returned, or validate() accepted, keeps these promises:
//   1. Pool names, service names and the backend names within a pool are unique and are 1..63
//      characters of [A-Za-z0-9._-], the first a letter or digit. Addresses are unique in a pool.
//   2. Every service's pool exists.
//   3. Of two services that match one packet it is certain which is more specific: none have the same
//      prefix, protocol and ports, nor, of one prefix and protocol, ranges of one size that overlap.
//   4. Every table_size is prime, in 3..16777213, and greater than the pool's number of backends,
//      which is at most 16384. All pools' tables together have at most 100 million slots.
//   5. Every weight is in 0..10000; durations are whole milliseconds within the bounds below, and a
//      probe's timeout is no longer than its interval.
//   6. Only what this version can do is in it: schedulers and forward modes of the enums here.
//   7. No address is unspecified, multicast, loopback, link-local, reserved (240.0.0.0/4) or broadcast, and
//      no service's address or prefix holds that of a backend.
//   8. What has no meaning is not there: a probe of type none has its defaults, and so has what only
//      http has in a tcp probe; a service has only the options that its forward mode and protocol can
//      honour (validate.cc has the list, with the reasons).
//   9. A pool whose probe has no port of its own is used by services that send to one port only. A pool
//      that no service uses, and whose probe has no port, is not probed.
//  10. A server id names one backend of its pool; a service that routes by connection id has a backend to
//      be named by each of its configurations.
// The order of pools, backends and services is the file's; nothing that is derived may depend on it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/net/address.h"
#include "lib/net/forward_mode.h"
#include "lib/net/port_range.h"
#include "lib/net/prefix.h"
#include "lib/net/service_options.h"

namespace maglb {

inline constexpr uint32_t kMaxWeight = 10000;
inline constexpr uint32_t kMinTableSize = 3;
inline constexpr uint32_t kMaxPoolTableSize = 16777213;
inline constexpr uint32_t kMaxPoolBackends = 16384;
inline constexpr uint64_t kMaxSlots = 100'000'000;  // of all pools: what a dataplane takes as one state
inline constexpr Duration kMinProbeInterval = std::chrono::milliseconds(10);
inline constexpr Duration kMaxProbeInterval = std::chrono::hours(1);
inline constexpr Duration kMinProbeTimeout = std::chrono::milliseconds(1);
inline constexpr uint32_t kMaxProbeCount = 1000;  // of rise and fall
inline constexpr Duration kMinIdleTimeout = std::chrono::milliseconds(100);
inline constexpr Duration kMaxIdleTimeout = std::chrono::hours(24);

// How a pool's stateful choice for a new flow is made. More come; the file refuses what is not here.
enum class Scheduler : uint8_t { kMaglev };

// What the operator wants of a backend. Health is a separate thing.
enum class AdminState : uint8_t { kUp, kDrain, kDown };

// What a flow does when its backend becomes unhealthy, down or removed.
enum class OnFailure : uint8_t { kReschedule, kKeep };

enum class ProbeType : uint8_t { kNone, kTcp, kHttp };

struct ProbeConfig {
  ProbeType type = ProbeType::kTcp;
  uint16_t port = 0;          // 0: the port of the service that uses the pool
  std::string path = "/";     // http
  std::string host;           // http: the Host header; empty: the backend's address
  uint16_t status_low = 200;  // http: expected status, a closed range
  uint16_t status_high = 399;
  Duration interval = std::chrono::seconds(1);
  Duration timeout = std::chrono::milliseconds(500);
  uint32_t rise = 2;  // successes in a row that make an unhealthy backend healthy
  uint32_t fall = 3;  // failures in a row that make a healthy backend unhealthy
  friend bool operator==(const ProbeConfig&, const ProbeConfig&) = default;
};

struct BackendConfig {
  std::string name;
  IpAddress address;
  uint32_t weight = 100;
  AdminState state = AdminState::kUp;
  std::vector<std::string> server_ids = {};  // octets, for routing by QUIC connection id
  friend bool operator==(const BackendConfig&, const BackendConfig&) = default;
};

struct PoolConfig {
  std::string name;
  Scheduler scheduler = Scheduler::kMaglev;
  uint32_t table_size = 65537;
  ProbeConfig health;
  std::vector<BackendConfig> backends;
  friend bool operator==(const PoolConfig&, const PoolConfig&) = default;
};

// How long an idle flow is remembered.
struct FlowTimeouts {
  Duration opening = std::chrono::seconds(10);
  Duration established = std::chrono::minutes(15);
  Duration closing = std::chrono::seconds(10);
  Duration udp = std::chrono::seconds(60);
  friend bool operator==(const FlowTimeouts&, const FlowTimeouts&) = default;
};

struct ServiceEntry {
  std::string name;
  IpPrefix address;
  Protocol protocol = Protocol::kTcp;
  PortRange port;
  std::string pool;
  ForwardMode forward = ForwardMode::kIpip;
  OnFailure on_failure = OnFailure::kReschedule;
  bool flow = true;  // false: stateless, every packet by the table
  FlowTimeouts timeouts;
  ServiceOptions options = {};
  friend bool operator==(const ServiceEntry&, const ServiceEntry&) = default;
};

// The port that the backends of the service listen on; 0: there is no one port.
inline uint16_t backend_port_of(const ServiceEntry& service) {
  if (service.options.backend_port != 0) {
    return service.options.backend_port;
  }
  return service.port.is_single() ? service.port.first : uint16_t{0};
}

struct ServiceConfig {
  uint64_t seed = 0;  // fleet-wide selection seed
  std::vector<PoolConfig> pools;
  std::vector<ServiceEntry> services;
  friend bool operator==(const ServiceConfig&, const ServiceConfig&) = default;
};

}  // namespace maglb
