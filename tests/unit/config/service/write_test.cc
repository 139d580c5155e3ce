#include "lib/config/service/write.h"

#include <gtest/gtest.h>

#include <random>

#include "lib/config/service/parse.h"
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
    for (uint32_t i = 0; !config.pools.empty() && i < below(6); ++i) {
      config.services.push_back(service(i, config.pools[below(pools)].name));
    }
    return config;
  }

 private:
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }
  std::string name(uint32_t i) { return below(2) == 0 ? kNames[i] : kNames[i] + std::string("-x"); }
  Duration milliseconds(int64_t low, uint32_t span) { return std::chrono::milliseconds(low + below(span)); }

  PoolConfig pool(uint32_t number) {
    constexpr uint32_t kPrimes[] = {11, 251, 65537};
    PoolConfig pool;
    pool.name = name(number);
    pool.table_size = kPrimes[below(3)];
    pool.health.type = static_cast<ProbeType>(below(3));
    if (pool.health.type != ProbeType::kNone) {
      pool.health.port = static_cast<uint16_t>(1 + below(65535));
      pool.health.interval = milliseconds(1000, 10000);
      pool.health.timeout = milliseconds(1, 1000);
      pool.health.rise = 1 + below(5);
      pool.health.fall = 1 + below(5);
    }
    if (pool.health.type == ProbeType::kHttp) {
      pool.health.path = below(2) == 0 ? "/" : "/a?b=\"c\"&d={e}\\f:%20,[\xc3\xa9]";
      pool.health.host = below(2) == 0 ? "" : "example.org:8080";
      pool.health.status_high = static_cast<uint16_t>(200 + below(300));
    }
    for (uint32_t i = 0; i < below(10); ++i) {
      pool.backends.push_back({name(i),
                               IpAddress::v4({10, static_cast<uint8_t>(number), 0, static_cast<uint8_t>(i)}),
                               below(10001), static_cast<AdminState>(below(3))});
    }
    return pool;
  }

  ServiceEntry service(uint32_t number, const std::string& pool) {
    ServiceEntry service;
    service.name = name(number);
    service.address = IpAddress::v4({198, 51, 100, static_cast<uint8_t>(1 + number)});
    service.protocol = below(2) == 0 ? Protocol::kTcp : Protocol::kUdp;
    service.port = static_cast<uint16_t>(1 + below(65535));
    service.pool = pool;
    service.forward = static_cast<ForwardMode>(below(2));
    service.flow = below(2) == 0;
    service.on_failure = service.flow ? static_cast<OnFailure>(below(2)) : OnFailure::kReschedule;
    if (below(2) == 0) {
      service.timeouts = {milliseconds(100, 100000), milliseconds(100, 1000000), milliseconds(100, 100000),
                          milliseconds(100, 100000)};
    }
    return service;
  }

  std::mt19937_64 random_;
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
