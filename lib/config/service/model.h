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
//   6. Only what this version can do is in it: schedulers, probes, sources and forward modes of the enums
//      here.
//   7. No address is unspecified, multicast, loopback, link-local, reserved (240.0.0.0/4) or broadcast, and
//      no service's address or prefix holds that of a backend.
//   8. What has no meaning is not there: a probe has its defaults in every field that its type has no use
//      for (probe_keys.h has the list; a probe of type none has no others, a https probe is inside TLS), a
//      source likewise (source_fields.cc); source_prefix belongs to source-hash, drain_end to a
//      drain_timeout; a service has only the options that its forward mode and protocol can honour
//      (option_faults.cc has the list, with the reasons).
//   9. A service uses its pool, and that pool's fallback. A pool with a probe that has no port of its own,
//      the pool's or a backend's, is used by services that send to one port only. A pool that no service
//      uses, and whose probe has no port, is not probed.
//  10. A server id names one backend of its pool; a service that routes by connection id has a backend to
//      be named by each of its configurations, or a pool whose backends come from a source.
//  11. Every text and list is within the bounds below. Paths of files and of commands are absolute; no text
//      but a probe's send and expect has control characters.
//  12. A backend's health is whole: what it does not say is the pool's, or, where the pool's type has no
//      such field, the default. It has a port where the pool's has one and its type can.
//  13. A probe through the tunnel is of a type over TCP or UDP, and its pool is used by one service at least
//      and by none with forward nat.
//  14. A fallback is another pool that has no fallback itself and none of the pool's backend addresses, and
//      that every service of the pool could use as its own.
//  15. Pools with a scheduler that counts (is_stateful()) or with a bound on connections are used by
//      services with flow tracking only.
//  16. min_healthy is a percentage of 1..100, or a number of 0..16384: if there are fewer backends, all of
//      them, so that one can always be removed.
//  17. The probes that backends have of their own hold at most 16 MiB of texts and lists together.
// The order of pools, backends and services is the file's; nothing that is derived may depend on it.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/rare.h"
#include "lib/net/address.h"
#include "lib/net/forward_mode.h"
#include "lib/net/port_range.h"
#include "lib/net/prefix.h"
#include "lib/net/scheduler.h"
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
inline constexpr Duration kMaxCoolDown = std::chrono::hours(24);
inline constexpr size_t kMaxProbePath = 2048;
inline constexpr size_t kMaxHostName =
    253;  // of a DNS name (RFC 1035, 2.3.4), and of a Host header less its port
inline constexpr size_t kMaxStatusRanges = 16;
inline constexpr size_t kMaxProbeBody = 1024;
inline constexpr size_t kMaxProbeOctets = 1024;  // of send and of expect
inline constexpr size_t kMaxProbeExpect = 1024;  // of a DNS answer
inline constexpr size_t kMaxGrpcService = 253;
inline constexpr size_t kMaxPin = 52;  // "sha256//" and the Base64 of 32 octets
inline constexpr size_t kMaxCommandWords = 64;
inline constexpr size_t kMaxCommandWord = 4096;
inline constexpr size_t kMaxCommand = 8192;  // of all words together
inline constexpr size_t kMaxFilePath = 4096;
inline constexpr size_t kMaxOwnProbeBytes = size_t{16} << 20;  // of the probes of all backends together
inline constexpr Duration kMaxSlowStart = std::chrono::hours(1);
inline constexpr Duration kMaxDrainTimeout = std::chrono::hours(24 * 7);
inline constexpr uint32_t kMaxConnections = 1'000'000'000;  // that max_connections may say
inline constexpr size_t kMaxSourceServers = 16;
inline constexpr size_t kMaxSourceEndpoints = 16;
inline constexpr size_t kMaxEndpoint = 300;  // characters of one
inline constexpr size_t kMaxSourceKeyPrefix = 1024;
inline constexpr Duration kMinSourceRefresh = std::chrono::seconds(1);
inline constexpr Duration kMaxSourceRefresh = std::chrono::hours(24);
inline constexpr Duration kMinIdleTimeout = std::chrono::milliseconds(100);
inline constexpr Duration kMaxIdleTimeout = std::chrono::hours(24);

// What the operator wants of a backend. Health is a separate thing.
enum class AdminState : uint8_t { kUp, kDrain, kDown };

// What a flow does when its backend becomes unhealthy, down or removed.
enum class OnFailure : uint8_t { kReschedule, kKeep };

// kHttp2 is cleartext with prior knowledge ("h2c"); HTTP/2 inside TLS is kHttps with http_version 2.
enum class ProbeType : uint8_t { kNone, kTcp, kHttp, kHttps, kHttp2, kGrpc, kDns, kUdp, kIcmp, kExec };

// kTunnel: to the service's address, in the encapsulation that the backend's traffic gets.
enum class ProbeVia : uint8_t { kDirect, kTunnel };

// A closed range of HTTP statuses.
struct StatusRange {
  uint16_t low = 200;
  uint16_t high = 399;
  friend auto operator<=>(const StatusRange&, const StatusRange&) = default;
};

// How a server proves who it is (https, and grpc with `enabled`).
struct ProbeTls {
  bool enabled = false;  // grpc: inside TLS. https: always true
  bool verify = true;    // the chain up to a trusted root, the name and the dates
  std::string
      server_name;      // SNI and the name in the certificate; empty: `host` of the probe, else its address
  std::string ca_file;  // roots to trust; empty: the system's
  std::string pin;      // "sha256//BASE64" of the server's public key; empty: none
  friend auto operator<=>(const ProbeTls&, const ProbeTls&) = default;
};

// What a DNS server is asked and how it has to answer.
struct ProbeDns {
  std::string name = ".";   // asked for
  std::string type = "NS";  // A, AAAA, CNAME, MX, NS, SOA, SRV, TXT
  std::string expect;       // an address or text that an answer has to have; empty: any answer of no error
  bool over_tcp = false;
  friend auto operator<=>(const ProbeDns&, const ProbeDns&) = default;
};

struct ProbeConfig {
  ProbeType type = ProbeType::kTcp;
  ProbeVia via = ProbeVia::kDirect;
  uint16_t port = 0;           // 0: the port of the service that uses the pool; icmp and exec have none
  std::string path = "/";      // http, https, http2
  std::string host;            // http, https, http2, grpc: the Host header; empty: the backend's address
  std::string method = "GET";  // http, https, http2: GET or HEAD
  std::vector<StatusRange> status = {{200, 399}};  // http, https, http2: good ones; not empty
  std::string body;          // http, https, http2: has to be in the first 64 KiB; empty: any
  uint8_t http_version = 1;  // https: 1 or 2
  ProbeTls tls;              // https, grpc
  std::string grpc_service;  // grpc: asked for by grpc.health.v1; empty: the server as a whole
  ProbeDns dns;
  std::string send;                  // udp: octets of the datagram
  std::string expect;                // udp: octets that the answer begins with; empty: any answer
  std::vector<std::string> command;  // exec: program and arguments
  Duration interval = std::chrono::seconds(1);
  Duration fast_interval{};  // while the last outcomes are not all alike or health is unknown; 0: as interval
  Duration timeout = std::chrono::milliseconds(500);
  Duration cool_down{};  // a backend that became healthy less than this ago, and fails, stays out that long
  uint32_t rise = 2;     // successes in a row that make an unhealthy backend healthy
  uint32_t fall = 3;     // failures in a row that make a healthy backend unhealthy
  friend bool operator==(const ProbeConfig&, const ProbeConfig&) = default;

  bool accepts(uint16_t http_status) const {
    return std::any_of(status.begin(), status.end(), [http_status](const StatusRange& range) {
      return range.low <= http_status && http_status <= range.high;
    });
  }
};

struct BackendConfig {
  std::string name;
  IpAddress address;
  uint32_t weight = 100;
  AdminState state = AdminState::kUp;
  std::vector<std::string> server_ids = {};  // octets, for routing by QUIC connection id
  uint32_t max_connections = 0;              // flows at a time, on this machine; 0: the pool's
  Rare<ProbeConfig> health = {};             // whole: the pool's with what the backend says otherwise
  friend bool operator==(const BackendConfig&, const BackendConfig&) = default;
};

// A number of backends, all if there are fewer, or a percentage of those that shall be up; 0: none.
struct Quorum {
  uint32_t value = 0;
  bool is_percent = false;
  friend bool operator==(const Quorum&, const Quorum&) = default;
};

// What becomes of the flows of a backend whose drain has lasted drain_timeout: they stay until they end, or
// the backend counts as down and they are moved.
enum class DrainEnd : uint8_t { kLeave, kClose };

// Where a pool's backends come from, beside those that the document lists. The others are found while maglb
// runs, and the last that were found stay when the source is gone.
enum class SourceType : uint8_t { kStatic, kFile, kDns, kEtcd };

enum class DnsRecords : uint8_t { kA, kAaaa, kBoth, kSrv };

struct BackendSource {
  SourceType type = SourceType::kStatic;
  std::string path;  // file: file_sd, JSON or YAML
  std::string name;  // dns: asked for
  DnsRecords records = DnsRecords::kBoth;
  std::vector<std::string> servers;    // dns: resolvers, "10.0.0.53" or "10.0.0.53:5353"; none: the system's
  std::vector<std::string> endpoints;  // etcd: "http://10.0.0.7:2379"
  std::string prefix;                  // etcd: keys that begin with it
  std::string ca_file, cert_file, key_file;     // etcd with https
  Duration refresh = std::chrono::seconds(30);  // dns: at most this between questions, whatever the TTL says
  uint32_t weight = 100;                        // of a backend that says none
  friend bool operator==(const BackendSource&, const BackendSource&) = default;
};

struct PoolConfig {
  std::string name;
  Scheduler scheduler = Scheduler::kMaglev;
  uint32_t table_size = 65537;
  uint8_t source_prefix_v4 = 32;  // source-hash: clients of one prefix go to one backend
  uint8_t source_prefix_v6 = 128;
  ProbeConfig health;
  Quorum min_healthy;        // fewer healthy ones than this: all are treated as healthy (panic mode)
  std::string fallback;      // the pool that serves while this one has nobody healthy; empty: none
  Duration slow_start{};     // from its first packet to its whole weight, for a backend that became healthy
  Duration drain_timeout{};  // 0: a drain has no end of its own
  DrainEnd drain_end = DrainEnd::kLeave;
  uint32_t max_connections = 0;  // of each backend; 0: no bound
  bool passive = false;          // what packets tell of its backends is counted (docs/operating.md)
  BackendSource source;
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

// What the first round means in which the probes of all backends fail together: that our own network is gone
// (kHold: nothing is done until they have failed `fall` times more), or that they are all dead (kAct).
enum class NetworkFailure : uint8_t { kHold, kAct };

struct ServiceConfig {
  uint64_t seed = 0;  // fleet-wide selection seed
  NetworkFailure network_failure = NetworkFailure::kHold;
  std::vector<PoolConfig> pools;
  std::vector<ServiceEntry> services;
  friend bool operator==(const ServiceConfig&, const ServiceConfig&) = default;
};

}  // namespace maglb
