#include "lib/config/service/write.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "lib/config/service/parse.h"
#include "lib/config/service/probe_keys.h"
#include "lib/config/service/validate.h"

namespace maglb {
namespace {

// Names that a YAML reader would like to take for something else.
constexpr const char* kNames[] = {"web",        "null", "on",      "1",  "1.5", "0x1f",
                                  "2001-01-01", "n",    "a.b_c-d", "NO", "7e3"};

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  ServiceConfig config() {
    ServiceConfig config;
    config.seed = random_();
    const uint32_t pools = below(4);
    for (uint32_t i = 0; i < pools; ++i) {
      config.pools.push_back(pool(i));
    }
    config.network_failure = static_cast<NetworkFailure>(below(2));
    // The last one is the fallback of those whose services can use it.
    for (uint32_t i = 0; i + 1 < pools; ++i) {
      const bool alike = is_v6(config.pools[i]) == is_v6(config.pools.back());
      config.pools[i].fallback = alike && below(2) == 0 ? config.pools.back().name : "";
    }
    counts_flows_ = std::any_of(config.pools.begin(), config.pools.end(), counts_flows);
    for (uint32_t i = 0; !config.pools.empty() && i < below(6); ++i) {
      config.services.push_back(service(i, config.pools[below(pools)]));
    }
    for (PoolConfig& pool : config.pools) {
      send_through_tunnels(config, pool);
    }
    return config;
  }

 private:
  // Probes of pools that have services in the way.
  void send_through_tunnels(const ServiceConfig& config, PoolConfig& pool) {
    bool nat = false;
    bool used = false;
    for (const ServiceEntry& service : config.services) {
      const auto of = std::find_if(config.pools.begin(), config.pools.end(),
                                   [&](const PoolConfig& other) { return other.name == service.pool; });
      if (of->name == pool.name || of->fallback == pool.name) {
        used = true;
        nat = nat || service.forward == ForwardMode::kNat;
      }
    }
    const auto send = [&](ProbeConfig& probe) {
      if (used && !nat && has_type(kProbesWithPort, probe.type)) {
        probe.via = static_cast<ProbeVia>(below(2));
      }
    };
    send(pool.health);
    for (BackendConfig& backend : pool.backends) {
      if (backend.health) {
        send(*backend.health);
      }
    }
  }

  static bool is_v6(const PoolConfig& pool) {
    return !pool.backends.empty() && !pool.backends[0].address.is_v4();
  }
  static bool counts_flows(const PoolConfig& pool) {
    return is_stateful(pool.scheduler) || pool.max_connections != 0 || pool.passive ||
           std::any_of(pool.backends.begin(), pool.backends.end(),
                       [](const BackendConfig& backend) { return backend.max_connections != 0; });
  }

  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }
  std::string name(uint32_t i) { return below(2) == 0 ? kNames[i] : kNames[i] + std::string("-x"); }
  Duration milliseconds(int64_t low, uint32_t span) { return std::chrono::milliseconds(low + below(span)); }

  PoolConfig pool(uint32_t number) {
    constexpr uint32_t kPrimes[] = {11, 251, 65537};
    PoolConfig pool;
    pool.name = name(number);
    pool.table_size = kPrimes[below(3)];
    pool.health = probe(static_cast<ProbeType>(below(10)));
    fields(pool);
    const bool v6 = below(3) == 0;
    for (uint32_t i = 0; i < below(10); ++i) {
      pool.backends.push_back({name(i),
                               backend_address(v6, number, i),
                               below(10001),
                               static_cast<AdminState>(below(3)),
                               server_ids(i),
                               below(2) * below(1000),
                               {}});
      if (below(3) == 0) {
        pool.backends.back().health = own_probe(pool.health);
      }
    }
    if (below(2) == 0 && pool.backends.size() > 1) {
      pool.min_healthy = below(2) == 0 ? Quorum{1 + below(100), true} : Quorum{below(5), false};
    }
    return pool;
  }

  std::string text(const char* one) { return below(2) == 0 ? "" : one; }
  std::string octets() {
    std::string octets(below(20), '\0');
    for (char& octet : octets) {
      octet = static_cast<char>(random_());
    }
    return below(3) == 0 ? "say \"10\" \\n" : octets;
  }

  ProbeTls tls() {
    ProbeTls tls;
    tls.enabled = true;
    tls.verify = below(2) == 0;
    tls.server_name = text("web.example.org");
    tls.ca_file = tls.verify ? text("/etc/ssl/a b.pem") : "";
    tls.pin = text("sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    return tls;
  }

  ProbeDns dns() {
    ProbeDns dns;
    constexpr const char* kTypes[] = {"A", "AAAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT"};
    const uint32_t type = below(8);
    dns.name = below(2) == 0 ? "." : "null";
    dns.type = kTypes[type];
    dns.expect = text(type == 0 ? "192.0.2.1" : type == 1 ? "2001:db8::1" : "v=spf1 \"-all\"");
    dns.over_tcp = below(2) == 0;
    return dns;
  }

  // Each field that the type has, or its default.
  ProbeConfig probe(ProbeType type) {
    ProbeConfig all;
    all.port = static_cast<uint16_t>(1 + below(65535));
    all.path = below(2) == 0 ? "/" : "/a?b=\"c\"&d={e}\\f:%20,[\xc3\xa9]";
    all.host = text("example.org:8080");
    all.method = below(2) == 0 ? "GET" : "HEAD";
    all.body = all.method == "GET" ? text("\"all\": {is: [well]} # \xc3\xa9") : "";
    all.status.clear();
    for (uint32_t i = below(3); all.status.size() <= i;) {
      const auto low = static_cast<uint16_t>(100 + below(400));
      all.status.push_back({low, static_cast<uint16_t>(low + below(2) * below(100))});
    }
    all.http_version = static_cast<uint8_t>(1 + below(2));
    all.tls = type == ProbeType::kHttps || below(2) == 0 ? tls() : ProbeTls{};
    all.grpc_service = text("a.b.Service");
    all.dns = dns();
    all.send = octets();
    all.expect = octets();
    all.command = {"/usr/lib/check it", "", "-p", "80", "null", "a: \"b\""};
    all.interval = milliseconds(1000, 10000);
    all.fast_interval = below(2) == 0 ? milliseconds(10, 990) : Duration{};
    all.timeout = milliseconds(1, 1000);
    all.cool_down = milliseconds(0, 3) * 1000;
    all.rise = 1 + below(5);
    all.fall = 1 + below(5);
    ProbeConfig probe = default_probe(type);
    for (const ProbeKey& key : probe_keys()) {
      if (key.key != "via" && has_type(key.types, type)) {
        key.copy(all, probe);
      }
    }
    return probe;
  }

  // Some fields are another's, of the pool's type or of a type of its own.
  ProbeConfig own_probe(const ProbeConfig& of_pool) {
    const ProbeType type = below(2) == 0 ? of_pool.type : static_cast<ProbeType>(below(10));
    ProbeConfig own = inherit_probe(of_pool, type);
    const ProbeConfig other = probe(type);
    for (const ProbeKey& key : probe_keys()) {
      if (key.key != "via" && has_type(key.types, type) && below(3) == 0) {
        key.copy(other, own);
      }
    }
    if (has_type(kHttpProbes, type) && own.method == "HEAD") {
      own.body.clear();
    }
    own.timeout = std::min(own.timeout, own.interval);
    own.fast_interval = std::min(own.fast_interval, own.interval);
    if (own.command.empty()) {
      own.command = other.command;
    }
    if (own.port == 0 && has_type(kProbesWithPort, type)) {
      own.port = 7;
    }
    return own;
  }

  void fields(PoolConfig& pool) {
    pool.scheduler = static_cast<Scheduler>(below(5));
    if (pool.scheduler == Scheduler::kSourceHash) {
      pool.source_prefix_v4 = static_cast<uint8_t>(1 + below(32));
      pool.source_prefix_v6 = static_cast<uint8_t>(1 + below(128));
    }
    pool.slow_start = milliseconds(0, 3) * 1000;
    pool.drain_timeout = milliseconds(0, 3) * 1000;
    pool.drain_end = pool.drain_timeout == Duration{} ? DrainEnd::kLeave : static_cast<DrainEnd>(below(2));
    pool.max_connections = below(2) * below(1000);
    pool.passive = below(2) == 0;
    BackendSource& source = pool.source;
    source.type = static_cast<SourceType>(below(4));
    source.weight = source.type == SourceType::kStatic ? 100 : below(10001);
    if (source.type == SourceType::kFile) {
      source.path = "/etc/maglb/back ends.json";
    } else if (source.type == SourceType::kDns) {
      source.name = "_http._tcp.web.example.org";
      source.records = static_cast<DnsRecords>(below(4));
      source.servers = {"10.0.0.53", "10.0.0.53:5353", "2001:db8::53", "[2001:db8::53]:5353"};
      source.servers.resize(below(5));
      source.refresh = milliseconds(1000, 100000);
    } else if (source.type == SourceType::kEtcd) {
      source.endpoints = {"https://etcd.example.org", "http://10.0.0.7:2379", "http://[2001:db8::7]:2379"};
      source.endpoints.resize(1 + below(3));
      source.prefix = "/maglb/\"web\"/";
      source.ca_file = text("/etc/ca.pem");
      source.cert_file = text("/etc/cert.pem");
      source.key_file = source.cert_file.empty() ? "" : "/etc/key.pem";
    }
  }

  static IpAddress backend_address(bool v6, uint32_t pool, uint32_t i) {
    const auto last = static_cast<uint8_t>(i);
    const auto third = static_cast<uint8_t>(pool);
    return v6 ? IpAddress{{0x20, 1, 0xd, 0xb8, 0, 0xa, 0, third, 0, 0, 0, 0, 0, 0, 0, last}}
              : IpAddress::v4({10, third, 0, last});
  }

  // No other backend of the pool has them: the first octet is the backend's.
  std::vector<std::string> server_ids(uint32_t backend) {
    std::vector<std::string> ids;
    for (size_t length = 1 + below(15); below(2) == 0 && length <= kLongestServerId; length += 1 + below(4)) {
      std::string id(length, '\0');
      for (char& octet : id) {
        octet = static_cast<char>(random_());
      }
      id[0] = static_cast<char>(backend);
      ids.push_back(id);
    }
    return ids;
  }

  // 198.51.NUMBER.0/24 and 2001:db8:NUMBER::/48 hold nothing of another service.
  IpPrefix service_prefix(bool v6, uint32_t number) {
    const auto third = static_cast<uint8_t>(number);
    IpAddress address = IpAddress::v4({198, 51, third, static_cast<uint8_t>(random_())});
    if (v6) {
      address = IpAddress{{0x20, 1, 0xd, 0xb8, 1, third}};
      store_le(&address.bytes[8], random_());
    }
    const uint32_t least = v6 ? 48 : 120;
    const auto length =
        static_cast<uint8_t>(below(2) == 0 ? IpPrefix::kBits : least + below(IpPrefix::kBits - least + 1));
    return {masked(address, length), length};
  }

  PortRange ports() {
    const auto first = static_cast<uint16_t>(1 + below(65535));
    switch (below(3)) {
      case 0:
        return PortRange();
      case 1:
        return {first, static_cast<uint16_t>(first + below(65536u - first))};
      default:
        return first;
    }
  }

  std::vector<IpPrefix> sources() {
    std::vector<IpPrefix> prefixes;
    for (uint32_t count = below(3) == 0 ? below(4) : 0; count > 0; --count) {
      IpAddress address = IpAddress::v4({static_cast<uint8_t>(random_()), 0, 2, 1});
      const bool v6 = below(2) == 0;
      if (v6) {
        store_le(address.bytes.data(), random_());
      }
      const uint32_t least = v6 ? 0 : 96;
      const auto length = static_cast<uint8_t>(least + below(IpPrefix::kBits - least + 1));
      prefixes.push_back({masked(address, length), length});
    }
    return prefixes;
  }

  std::vector<QuicLbConfig> quic(const PoolConfig& pool) {
    std::vector<QuicLbConfig> configs;
    for (const BackendConfig& backend : pool.backends) {
      for (const std::string& id : backend.server_ids) {
        const auto length = static_cast<uint8_t>(id.size());
        const auto nonce =
            static_cast<uint8_t>(kLeastQuicNonce + below(20u - 1 - length - kLeastQuicNonce + 1));
        if (configs.size() <= kLastQuicLbId) {
          configs.push_back({static_cast<uint8_t>(configs.size()), length, nonce});
        }
      }
    }
    return configs;
  }

  // Whatever the mode and the protocol can honour.
  ServiceOptions options(const ServiceEntry& service, const PoolConfig& pool) {
    ServiceOptions options;
    const bool tcp = service.protocol == Protocol::kTcp;
    const auto port = static_cast<uint16_t>(1 + below(65535));
    switch (service.forward) {
      case ForwardMode::kGue:
        options.gue_port = port;
        options.udp_checksum = below(2) == 0;
        break;
      case ForwardMode::kGre:
        options.gre_key = below(2) == 0 ? std::optional(static_cast<uint32_t>(random_())) : std::nullopt;
        break;
      case ForwardMode::kNat:
        options.backend_port = below(2) == 0 ? port : uint16_t{0};
        options.proxy_protocol = tcp && below(2) == 0;
        break;
      default:
        break;
    }
    if (is_tunnel(service.forward)) {
      options.oversize = static_cast<Oversize>(below(2));
    }
    if (service.protocol != Protocol::kUdp) {
      options.mss = below(2) == 0 ? static_cast<uint16_t>(kMinMss + below(60000)) : uint16_t{0};
    } else if (service.forward != ForwardMode::kNat && below(2) == 0) {
      options.quic = quic(pool);
    }
    options.forward_ping = service.forward != ForwardMode::kNat && below(2) == 0;
    options.source_allow = sources();
    options.source_deny = sources();
    return options;
  }

  ServiceEntry service(uint32_t number, const PoolConfig& pool) {
    ServiceEntry service;
    service.name = name(number);
    service.forward = static_cast<ForwardMode>(below(5));
    const bool nat = service.forward == ForwardMode::kNat;
    const bool pool_v6 = !pool.backends.empty() && !pool.backends[0].address.is_v4();
    service.address = service_prefix(nat ? pool_v6 : below(2) == 0, number);
    constexpr Protocol kProtocols[] = {Protocol::kTcp, Protocol::kUdp, Protocol::kAny};
    service.protocol = kProtocols[below(nat ? 2 : 3)];
    service.port = ports();
    service.pool = pool.name;
    service.flow = nat || counts_flows_ || below(2) == 0;
    service.options = options(service, pool);
    const bool has_connections = service.flow && service.protocol != Protocol::kUdp;
    service.on_failure = has_connections ? static_cast<OnFailure>(below(2)) : OnFailure::kReschedule;
    if (below(2) == 0) {
      service.timeouts = {milliseconds(100, 100000), milliseconds(100, 1000000), milliseconds(100, 100000),
                          milliseconds(100, 100000)};
    }
    return service;
  }

  std::mt19937_64 random_;
  bool counts_flows_ = false;  // a pool does
};

TEST(Write, WhatIsWrittenReadsBackTheSame) {
  const uint64_t seed = 20240117;
  SCOPED_TRACE(seed);
  Generator generator(seed);
  int written = 0;
  while (written < 300) {
    const ServiceConfig config = generator.config();
    ASSERT_TRUE(validate(config)) << validate(config).error().message;
    ++written;
    const std::string text = write_service_config(config);
    const auto back = parse_service_config(text, "w");
    ASSERT_TRUE(back) << back.error().to_string() << "\n" << text;
    ASSERT_EQ(*back, config) << text;
    ASSERT_EQ(write_service_config(*back), text);
  }
}

TEST(Write, IsStable) {
  ServiceConfig config;
  config.seed = 7;
  PoolConfig pool;
  pool.name = "web";
  pool.backends = {{"web1", IpAddress::v4({10, 0, 1, 11}), 100, AdminState::kUp},
                   {"1", IpAddress::v4({10, 0, 1, 12}), 0, AdminState::kDrain}};
  config.pools.push_back(pool);
  ServiceEntry service;
  service.name = "web";
  service.address = IpAddress::v4({198, 51, 100, 1});
  service.port = 80;
  service.pool = "web";
  config.services.push_back(service);
  EXPECT_EQ(write_service_config(config), R"(version: 1
seed: 7
pools:
  web:
    scheduler: maglev
    table_size: 65537
    health: {type: tcp, interval: 1s, timeout: 500ms, rise: 2, fall: 3}
    backends:
      - {name: web1, address: 10.0.1.11, weight: 100}
      - {name: "1", address: 10.0.1.12, weight: 0, state: drain}
services:
  - name: web
    address: 198.51.100.1
    protocol: tcp
    port: 80
    pool: web
    forward: ipip
)");
}

}  // namespace
}  // namespace maglb
