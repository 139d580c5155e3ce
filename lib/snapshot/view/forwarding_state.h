// The forwarding state as the control plane compiles it and the dataplane receives it: plain data
// with names, before the dataplane gives out its ids. lib/snapshot/build makes it from configuration
// and health; lib/ipc carries it; the Registry (registry.h) checks every bound of it and makes the
// Snapshot that workers read.
//
// A pool is one immutable object: two generations, or two services, that use the same pool share it,
// so that a change costs what it changes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/net/address.h"
#include "lib/net/forward_mode.h"
#include "lib/net/port_range.h"
#include "lib/net/prefix.h"
#include "lib/net/scheduler.h"
#include "lib/net/service_options.h"

namespace maglb {

// What the workers may do with a backend. kUnhealthy and kDown treat packets alike; they are told
// apart to say why.
enum class BackendState : uint8_t { kUp = 0, kDrain = 1, kUnhealthy = 2, kDown = 3 };

// In a pool's slots: no backend at all (every slot has it, or none).
inline constexpr uint16_t kNoBackend = 0xffff;
inline constexpr uint32_t kMaxBackendsPerPool = 16384;
inline constexpr uint32_t kMaxTableSize = 16777213;
inline constexpr uint32_t kMaxBackendWeight = 10000;

struct BackendSpec {
  std::string name;
  IpAddress address;
  uint32_t weight = 0;
  BackendState state = BackendState::kUp;
  std::vector<std::string> server_ids = {};  // octets; each names one backend of the pool
  uint32_t max_connections = 0;              // flows at a time, on this machine; 0: no bound
  friend bool operator==(const BackendSpec&, const BackendSpec&) = default;
};

struct PoolSpec {
  std::string name;
  uint64_t seed = 0;  // of the selection hash
  std::vector<BackendSpec> backends;
  // The Maglev table: each slot is an index into `backends`, or kNoBackend. Size: a prime.
  std::vector<uint16_t> slots;
  Scheduler scheduler = Scheduler::kMaglev;
  uint8_t source_prefix_v4 = 32;  // source-hash: how much of a client's address counts, in bits
  uint8_t source_prefix_v6 = 128;
  bool passive = false;  // signals of its backends are counted
  friend bool operator==(const PoolSpec&, const PoolSpec&) = default;
};

struct ServiceSpec {
  std::string name;
  IpPrefix address;
  Protocol protocol = Protocol::kTcp;
  PortRange port;
  std::string pool;
  ForwardMode forward = ForwardMode::kIpip;
  bool keep_on_failure = false;
  bool track_flows = true;
  Duration opening_timeout{};
  Duration established_timeout{};
  Duration closing_timeout{};
  Duration udp_timeout{};
  ServiceOptions options = {};
  friend bool operator==(const ServiceSpec&, const ServiceSpec&) = default;
};

// One change, all or nothing. A full change (`base_generation` 0) replaces everything; another one
// applies on top of that generation: pools are replaced by name, and services as a whole if given.
struct Change {
  uint64_t generation = 0;       // of the state after it, > 0
  uint64_t base_generation = 0;  // 0: none, this change is the whole state
  std::vector<std::shared_ptr<const PoolSpec>> pools;
  std::vector<std::string> removed_pools;
  std::optional<std::vector<ServiceSpec>> services;

  // A change that is the whole state gives all services, also when it has none.
  bool gives_services() const { return services || base_generation == 0; }
};

}  // namespace maglb
