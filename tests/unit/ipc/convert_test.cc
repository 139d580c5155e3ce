#include "lib/ipc/convert.h"

#include <gtest/gtest.h>

#include <functional>

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
      {"an IPv6 address", [&](auto& m) { backend(m)->set_address(std::string(16, ' ')); }},
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
