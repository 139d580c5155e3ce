#include "lib/ipc/convert.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

namespace maglb {
namespace {

Change sample() {
  auto pool = std::make_shared<PoolSpec>();
  pool->name = "web";
  pool->seed = 7;
  pool->backends = {{"web1", *IpAddress::parse("10.0.1.11"), 100, BackendState::kUp},
                    {"web2", *IpAddress::parse("10.0.1.12"), 50, BackendState::kUnhealthy}};
  pool->slots = {0, 1, 0, 0, 1, 0, 0};
  ServiceSpec service{"web",
                      *IpAddress::parse("198.51.100.1"),
                      Protocol::kTcp,
                      80,
                      "web",
                      ForwardMode::kL2,
                      true,
                      true,
                      std::chrono::seconds(1),
                      std::chrono::seconds(2),
                      std::chrono::seconds(3),
                      std::chrono::milliseconds(1500)};
  Change change;
  change.generation = 4;
  change.pools = {pool};
  change.services = {service};
  return change;
}

ipc::Apply sample_message() {
  ipc::Apply message;
  to_message(sample(), message);
  return message;
}

TEST(Convert, GivesBackTheChangeThatWasSent) {
  Change change = sample();
  change.base_generation = 3;
  change.removed_pools = {"dns"};
  ipc::Apply message;
  to_message(change, message);
  const auto back = from_message(message);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->generation, change.generation);
  EXPECT_EQ(back->base_generation, change.base_generation);
  EXPECT_EQ(back->removed_pools, change.removed_pools);
  EXPECT_EQ(back->services, change.services);
  ASSERT_EQ(back->pools.size(), 1u);
  EXPECT_EQ(*back->pools[0], *change.pools[0]);
}

TEST(Convert, APeerThatKnowsNoSchedulersSendsATableAndNoBounds) {
  ipc::Apply message = sample_message();
  message.mutable_pools(0)->clear_scheduler();
  message.mutable_pools(0)->clear_source_prefix_v4();
  message.mutable_pools(0)->clear_source_prefix_v6();
  const auto back = from_message(message);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back->pools[0], *sample().pools[0]);
}

TEST(Convert, RefusesASchedulerOrASourcePrefixThatCannotBe) {
  const auto refused = [](const std::function<void(ipc::Pool&)>& spoil) {
    ipc::Apply message = sample_message();
    spoil(*message.mutable_pools(0));
    return !from_message(message);
  };
  EXPECT_TRUE(refused([](ipc::Pool& pool) { pool.set_scheduler(static_cast<ipc::Pool::Scheduler>(5)); }));
  EXPECT_TRUE(refused([](ipc::Pool& pool) { pool.set_source_prefix_v4(33); }));
  EXPECT_TRUE(refused([](ipc::Pool& pool) { pool.set_source_prefix_v6(129); }));
  EXPECT_TRUE(refused([](ipc::Pool& pool) { pool.set_source_prefix_v6(256 + 64); }));
  EXPECT_FALSE(refused([](ipc::Pool& pool) { pool.set_source_prefix_v4(0); }));
}

// Services with any options that a dataplane takes, whether or not the file could ask for them together.
class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  Change change() {
    Change change;
    change.generation = 1 + random_() % 1000;
    auto pool = std::make_shared<PoolSpec>();
    pool->name = "web";
    pool->seed = random_();
    pool->slots = {0, 0, 1, 0, 1, 0, 0};
    for (const char* name : {"a", "b", "c"}) {
      BackendSpec backend{name, address(), static_cast<uint32_t>(random_() % 10001), BackendState::kUp, {}};
      for (size_t length = 1 + below(8); length <= kLongestServerId; length += 1 + below(8)) {
        std::string id(length, static_cast<char>(random_()));
        id[0] = name[0];
        backend.server_ids.push_back(id);
      }
      pool->backends.push_back(backend);
    }
    pool->scheduler = static_cast<Scheduler>(below(5));
    pool->source_prefix_v4 = static_cast<uint8_t>(below(33));
    pool->source_prefix_v6 = static_cast<uint8_t>(below(129));
    pool->passive = below(2) == 0;
    pool->backends[1].max_connections = static_cast<uint32_t>(random_());
    pool->backends[2].state = static_cast<BackendState>(below(4));
    change.pools = {pool};
    change.services.emplace();
    for (uint32_t i = 0; i < below(6); ++i) {
      change.services->push_back(service("s" + std::to_string(i)));
    }
    return change;
  }

 private:
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }
  bool coin() { return below(2) == 0; }
  IpAddress address() {
    IpAddress address = IpAddress::v4({198, 51, 100, static_cast<uint8_t>(random_())});
    if (coin()) {
      address = IpAddress{{0x20, 1, 0xd, 0xb8}};
      std::generate(address.bytes.begin() + 4, address.bytes.end(),
                    [this] { return static_cast<uint8_t>(random_()); });
    }
    return address;
  }
  IpPrefix prefix() {
    const IpAddress first = address();
    const uint32_t least = first.is_v4() ? 104 : 16;
    const auto length = static_cast<uint8_t>(coin() ? 128 : least + below(129 - least));
    return {masked(first, length), length};
  }
  std::vector<IpPrefix> prefixes() {
    std::vector<IpPrefix> list(below(4));
    std::generate(list.begin(), list.end(), [this] { return prefix(); });
    return list;
  }
  ServiceSpec service(const std::string& name) {
    ServiceSpec service;
    service.name = name;
    service.pool = "web";
    service.address = prefix();
    service.protocol = std::array{Protocol::kTcp, Protocol::kUdp, Protocol::kAny}[below(3)];
    const auto first = static_cast<uint16_t>(1 + below(65535));
    service.port = coin() ? PortRange(first) : coin() ? PortRange(first, 65535) : PortRange();
    service.forward = static_cast<ForwardMode>(below(5));
    service.keep_on_failure = coin();
    service.track_flows = coin();
    service.opening_timeout = std::chrono::milliseconds(1 + below(100000));
    service.established_timeout = std::chrono::hours(1 + below(24));
    service.closing_timeout = std::chrono::milliseconds(1);
    service.udp_timeout = std::chrono::seconds(1 + below(1000));
    service.options = options(service);
    return service;
  }
  ServiceOptions options(const ServiceSpec& service) {
    ServiceOptions options;
    options.gue_port = static_cast<uint16_t>(1 + below(65535));
    options.udp_checksum = coin();
    options.gre_key =
        coin() ? std::optional(coin() ? uint32_t{0} : static_cast<uint32_t>(random_())) : std::nullopt;
    options.mss = coin() ? static_cast<uint16_t>(kMinMss + below(65000)) : uint16_t{0};
    options.forward_ping = coin();
    options.oversize = static_cast<Oversize>(below(2));
    options.source_allow = prefixes();
    options.source_deny = prefixes();
    if (service.protocol == Protocol::kUdp && service.forward != ForwardMode::kNat) {
      for (uint8_t id = 0; id <= kLastQuicLbId; ++id) {
        const auto length = static_cast<uint8_t>(1 + below(15));
        options.quic.push_back({id, length, static_cast<uint8_t>(4 + below(16u - length))});
      }
    }
    if (service.forward == ForwardMode::kNat) {
      options.backend_port = static_cast<uint16_t>(below(65536));
      options.proxy_protocol = service.protocol == Protocol::kTcp && coin();
    }
    return options;
  }

  std::mt19937_64 random_;
};

TEST(Convert, GivesBackEveryOption) {
  const uint64_t seed = 97;
  SCOPED_TRACE(seed);
  Generator generator(seed);
  int services = 0;
  for (int i = 0; i < 500; ++i) {
    const Change change = generator.change();
    ipc::Apply message;
    to_message(change, message);
    const auto back = from_message(message);
    if (!back) {
      // What a dataplane refuses, it refuses with its reason: nat without flows, for example.
      ASSERT_NE(back.error().message, "");
      continue;
    }
    ASSERT_EQ(back->services, change.services);
    ASSERT_EQ(*back->pools[0], *change.pools[0]);
    services += static_cast<int>(change.services->size());
  }
  EXPECT_GT(services, 300);
}

// A peer of minor 0 says nothing of what came later.
TEST(Convert, TakesAMessageOfTheFirstMinor) {
  ipc::Apply message = sample_message();
  ipc::Service& service = *message.mutable_services()->mutable_services(0);
  service.clear_address_length();
  service.clear_last_port();
  service.clear_gue_port();
  const auto change = from_message(message);
  ASSERT_TRUE(change) << change.error().message;
  EXPECT_EQ(change->services, sample().services);
}

TEST(Convert, TellsNoServicesFromUnchangedServices) {
  Change change = sample();
  change.services.reset();
  ipc::Apply message;
  to_message(change, message);
  EXPECT_FALSE(from_message(message)->services);
  change.services.emplace();
  ipc::Apply empty;
  to_message(change, empty);
  EXPECT_TRUE(from_message(empty)->services);
}

TEST(Convert, TakesATableWithoutAnyBackend) {
  ipc::Apply message = sample_message();
  message.mutable_pools(0)->clear_backends();
  message.mutable_pools(0)->set_slots(std::string(14, '\xff'));
  EXPECT_TRUE(from_message(message));
}

void set_quic(ipc::QuicLbConfig& config, uint32_t id, uint32_t server_id_length, uint32_t nonce_length) {
  config.set_id(id);
  config.set_server_id_length(server_id_length);
  config.set_nonce_length(nonce_length);
}

TEST(Convert, RefusesEverythingOutOfItsRange) {
  using Break = std::function<void(ipc::Apply&)>;
  const auto pool = [](ipc::Apply& m) { return m.mutable_pools(0); };
  const auto backend = [](ipc::Apply& m) { return m.mutable_pools(0)->mutable_backends(0); };
  const auto service = [](ipc::Apply& m) { return m.mutable_services()->mutable_services(0); };
  const std::pair<const char*, Break> cases[] = {
      {"no generation", [](auto& m) { m.set_generation(0); }},
      {"its own base", [](auto& m) { m.set_base_generation(m.generation()); }},
      {"removal in a whole state", [](auto& m) { m.add_removed_pools("dns"); }},
      {"removed and given", [](auto& m) { m.set_base_generation(1), m.add_removed_pools("web"); }},
      {"pool twice", [](auto& m) { *m.add_pools() = m.pools(0); }},
      {"no pool name", [&](auto& m) { pool(m)->set_name(""); }},
      {"long pool name", [&](auto& m) { pool(m)->set_name(std::string(64, 'a')); }},
      {"odd pool name", [&](auto& m) { pool(m)->set_name("a b"); }},
      {"a slot of a drained backend", [&](auto& m) { backend(m)->set_state(ipc::Backend::DRAIN); }},
      {"odd bytes of slots", [&](auto& m) { pool(m)->set_slots(std::string(13, '\0')); }},
      {"no slots", [&](auto& m) { pool(m)->clear_slots(); }},
      {"a size that is not prime", [&](auto& m) { pool(m)->set_slots(std::string(16, '\0')); }},
      {"a slot without its backend", [&](auto& m) { (*pool(m)->mutable_slots())[0] = 2; }},
      {"one empty slot", [&](auto& m) { pool(m)->mutable_slots()->replace(0, 2, "\xff\xff"); }},
      {"backend twice", [&](auto& m) { *pool(m)->add_backends() = m.pools(0).backends(0); }},
      {"no backend name", [&](auto& m) { backend(m)->set_name(""); }},
      {"a short address", [&](auto& m) { backend(m)->set_address("1234"); }},
      {"a multicast address", [&](auto& m) { backend(m)->set_address(std::string(16, '\xff')); }},
      {"a weight too big", [&](auto& m) { backend(m)->set_weight(10001); }},
      {"no such state", [&](auto& m) { backend(m)->set_state(static_cast<ipc::Backend::State>(4)); }},
      {"service twice", [](auto& m) { *m.mutable_services()->add_services() = m.services().services(0); }},
      {"its address twice",
       [](auto& m) {
         *m.mutable_services()->add_services() = m.services().services(0);
         m.mutable_services()->mutable_services(1)->set_name("other");
       }},
      {"no service name", [&](auto& m) { service(m)->set_name(""); }},
      {"no pool of a service", [&](auto& m) { service(m)->clear_pool(); }},
      {"a service's address", [&](auto& m) { service(m)->clear_address(); }},
      {"a port too big", [&](auto& m) { service(m)->set_port(65536); }},
      {"a protocol", [&](auto& m) { service(m)->set_protocol(132); }},
      {"a protocol that wraps", [&](auto& m) { service(m)->set_protocol(256 + 6); }},
      {"a forward mode", [&](auto& m) { service(m)->set_forward(static_cast<ipc::Service::Forward>(7)); }},
      {"a prefix longer than an address", [&](auto& m) { service(m)->set_address_length(129); }},
      {"a prefix whose length wraps", [&](auto& m) { service(m)->set_address_length(256 + 128); }},
      {"bits beyond the prefix", [&](auto& m) { service(m)->set_address_length(120); }},
      {"ports the wrong way round", [&](auto& m) { service(m)->set_last_port(79); }},
      {"a last port too big", [&](auto& m) { service(m)->set_last_port(65536); }},
      {"a last port that wraps", [&](auto& m) { service(m)->set_last_port(65536 + 80); }},
      {"ports from 0", [&](auto& m) { service(m)->set_port(0); }},
      {"a GUE port", [&](auto& m) { service(m)->set_gue_port(65536 + 6080); }},
      {"a backend port", [&](auto& m) { service(m)->set_backend_port(65536 + 80); }},
      {"an MSS that wraps", [&](auto& m) { service(m)->set_mss(65536 + 1400); }},
      {"an MSS too small", [&](auto& m) { service(m)->set_mss(535); }},
      {"oversize", [&](auto& m) { service(m)->set_oversize(static_cast<ipc::Service::Oversize>(2)); }},
      {"oversize below", [&](auto& m) { service(m)->set_oversize(static_cast<ipc::Service::Oversize>(-1)); }},
      {"a source without an address", [&](auto& m) { service(m)->add_source_allow()->set_length(0); }},
      {"a source longer than an address",
       [&](auto& m) {
         service(m)->add_source_deny()->set_address(std::string(16, '\0'));
         service(m)->mutable_source_deny(0)->set_length(129);
       }},
      {"a source with bits beyond",
       [&](auto& m) { service(m)->add_source_deny()->set_address(std::string(16, '\1')); }},
      {"too many sources",
       [&](auto& m) {
         for (size_t i = 0; i <= kMaxSourcePrefixes; ++i) {
           service(m)->add_source_allow()->set_address(std::string(16, '\0'));
         }
       }},
      {"QUIC without lengths", [&](auto& m) { service(m)->add_quic(); }},
      {"QUIC's id 7", [&](auto& m) { set_quic(*service(m)->add_quic(), 7, 2, 6); }},
      {"a QUIC id that wraps", [&](auto& m) { set_quic(*service(m)->add_quic(), 256, 2, 6); }},
      {"a server id that wraps", [&](auto& m) { set_quic(*service(m)->add_quic(), 0, 256 + 2, 6); }},
      {"a server id too long", [&](auto& m) { set_quic(*service(m)->add_quic(), 0, 16, 4); }},
      {"a nonce too short", [&](auto& m) { set_quic(*service(m)->add_quic(), 0, 2, 3); }},
      {"lengths whose sum wraps", [&](auto& m) { set_quic(*service(m)->add_quic(), 0, 2, 254); }},
      {"a QUIC id twice",
       [&](auto& m) {
         set_quic(*service(m)->add_quic(), 3, 2, 6);
         set_quic(*service(m)->add_quic(), 3, 3, 6);
       }},
      {"more QUIC configurations than ids",
       [&](auto& m) {
         for (uint32_t id = 0; id < 8; ++id) {
           set_quic(*service(m)->add_quic(), id, 2, 6);
         }
       }},
      {"an empty server id", [&](auto& m) { backend(m)->add_server_ids(""); }},
      {"a server id of 16", [&](auto& m) { backend(m)->add_server_ids(std::string(16, 'x')); }},
      {"a server id twice",
       [&](auto& m) {
         backend(m)->add_server_ids("x");
         pool(m)->mutable_backends(1)->add_server_ids("x");
       }},
      {"no timeout", [&](auto& m) { service(m)->set_udp_timeout_ms(0); }},
      {"an endless timeout", [&](auto& m) { service(m)->set_opening_timeout_ms(~uint64_t{0}); }},
  };
  for (const auto& [what, damage] : cases) {
    ipc::Apply message = sample_message();
    ASSERT_TRUE(from_message(message));
    damage(message);
    const auto change = from_message(message);
    ASSERT_FALSE(change) << what;
    EXPECT_EQ(change.error().kind, ErrorKind::kInvalid) << what;
  }
}

TEST(Convert, CarriesAFlowQueryOfEitherFamily) {
  const IpAddress client4 = *IpAddress::parse("192.0.2.1");
  const IpAddress client6 = *IpAddress::parse("2001:db8::1");
  ipc::FlowLookup message;
  for (const IpAddress& client : {client4, client6}) {
    const FlowQuery query{Protocol::kUdp, client, client, 4000, 53};
    to_message(query, message);
    const auto back = from_message(message);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->protocol, query.protocol);
    EXPECT_EQ(back->source, query.source);
    EXPECT_EQ(back->destination, query.destination);
    EXPECT_EQ(back->source_port, query.source_port);
    EXPECT_EQ(back->destination_port, query.destination_port);
  }
  ipc::FlowLookup mixed;
  to_message(FlowQuery{Protocol::kUdp, client4, client6, 4000, 53}, mixed);
  EXPECT_FALSE(from_message(mixed));
  message.set_protocol(1);
  EXPECT_FALSE(from_message(message));
  message.set_protocol(6);
  message.set_source_port(65536);
  EXPECT_FALSE(from_message(message));
}

}  // namespace
}  // namespace maglb
