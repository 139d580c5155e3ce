// A change is all or nothing: whatever is wrong with it, what ran before is untouched.
#include <gtest/gtest.h>

#include <functional>

#include "tests/support/registry_rig.h"

namespace maglb {
namespace {

using testing::backend;
using testing::pool;
using testing::RegistryRig;
using testing::service;

using Spoil = std::function<void(Change&)>;

// A good new pool and a good change of the other one come first, so that there is something to undo.
Change change_with_work(const RegistryRig& rig) {
  Change change = rig.change();
  change.pools = {pool("new", {backend("x", 7), backend("y", 8)}), pool("web", {backend("a", 9)})};
  change.services = {service("web", 80, "web"), service("dns", 53, "dns"), service("new", 90, "new")};
  return change;
}

Spoil with_pool(const std::function<void(PoolSpec&)>& spoil) {
  return [spoil](Change& change) {
    auto spec = pool("zoo", {backend("p", 20), backend("q", 21)});
    spoil(*spec);
    change.pools.push_back(spec);
  };
}
Spoil with_service(const std::function<void(ServiceSpec&)>& spoil) {
  return [spoil](Change& change) {
    auto spec = service("zoo", 99, "web");
    spoil(spec);
    change.services->push_back(spec);
  };
}

const struct {
  const char* name;
  Spoil spoil;
} kHostile[] = {
    {"generation 0", [](Change& c) { c.generation = 0; }},
    {"another base", [](Change& c) { c.base_generation = 77; }},
    {"no pool", [](Change& c) { c.pools.push_back(nullptr); }},
    {"a pool twice", [](Change& c) { c.pools.push_back(c.pools[0]); }},
    {"given and removed", [](Change& c) { c.removed_pools = {"web"}; }},
    {"removed twice",
     [](Change& c) {
       c.removed_pools = {"q", "q"};
     }},
    {"removed but used", [](Change& c) { c.removed_pools = {"dns"}; }},
    {"a pool without a name", with_pool([](PoolSpec& p) { p.name = ""; })},
    {"a pool's long name", with_pool([](PoolSpec& p) { p.name = std::string(64, 'a'); })},
    {"a pool's odd name", with_pool([](PoolSpec& p) { p.name = "a b"; })},
    {"a table size not prime", with_pool([](PoolSpec& p) { p.slots.resize(12, 0); })},
    {"a table of 2", with_pool([](PoolSpec& p) { p.slots.resize(2); })},
    {"no table", with_pool([](PoolSpec& p) { p.slots.clear(); })},
    {"a slot beyond the backends", with_pool([](PoolSpec& p) { p.slots[5] = 2; })},
    {"a slot of none among others", with_pool([](PoolSpec& p) { p.slots[5] = kNoBackend; })},
    {"a slot among those of none", with_pool([](PoolSpec& p) {
       p.slots.assign(13, kNoBackend);
       p.slots[5] = 1;
     })},
    {"a backend twice", with_pool([](PoolSpec& p) { p.backends[1].name = "p"; })},
    {"a backend without a name", with_pool([](PoolSpec& p) { p.backends[1].name = ""; })},
    {"a backend's odd name", with_pool([](PoolSpec& p) { p.backends[1].name = "p\n"; })},
    {"a backend's multicast address", with_pool([](PoolSpec& p) { p.backends[1].address.bytes[12] = 224; })},
    {"a backend's multicast IPv6 address",
     with_pool([](PoolSpec& p) { p.backends[1].address.bytes[0] = 0xff; })},
    {"a backend's state", with_pool([](PoolSpec& p) { p.backends[1].state = static_cast<BackendState>(9); })},
    {"a slot that drains", with_pool([](PoolSpec& p) { p.backends[1].state = BackendState::kDrain; })},
    {"a slot that is down", with_pool([](PoolSpec& p) { p.backends[1].state = BackendState::kDown; })},
    {"too many backends", with_pool([](PoolSpec& p) { p.backends.resize(kMaxBackendsPerPool + 1); })},
    {"a service's odd name", with_service([](ServiceSpec& s) { s.name = "a/b"; })},
    {"a service twice", with_service([](ServiceSpec& s) { s.name = "web"; })},
    {"a service's target twice", with_service([](ServiceSpec& s) { s.port = 80; })},
    {"a service without a pool", with_service([](ServiceSpec& s) { s.pool = "none"; })},
    {"a service at port 0", with_service([](ServiceSpec& s) { s.port = 0; })},
    {"a service's protocol", with_service([](ServiceSpec& s) { s.protocol = static_cast<Protocol>(132); })},
    {"a service's address", with_service([](ServiceSpec& s) { s.address = IpAddress{}; })},
    {"a service's mode", with_service([](ServiceSpec& s) { s.forward = static_cast<ForwardMode>(9); })},
    {"a timeout of 0", with_service([](ServiceSpec& s) { s.udp_timeout = Duration(0); })},
    {"a negative timeout", with_service([](ServiceSpec& s) { s.opening_timeout = Duration(-1); })},
    {"an endless timeout", with_service([](ServiceSpec& s) { s.closing_timeout = Duration::max(); })},
};

void expect_untouched(RegistryRig& rig, const Change& change, std::optional<ErrorKind> kind = {}) {
  const auto snapshot = rig.current.snapshots[0].get();
  const PoolView* const web = rig.pool_at(80);
  const size_t memory = rig.memory.held;
  const auto held = rig.next_hops.held_in_all();
  const auto result = rig.registry.apply(change);
  ASSERT_FALSE(result);
  EXPECT_FALSE(result.error().message.empty());
  EXPECT_EQ(result.error().kind, kind.value_or(result.error().kind));
  EXPECT_EQ(rig.registry.generation(), 1u);
  EXPECT_EQ(rig.memory.held, memory);
  EXPECT_EQ(rig.next_hops.held_in_all(), held);
  EXPECT_EQ(rig.registry.quarantined(), 0u);
  EXPECT_EQ(rig.registry.services().size(), 2u);
  EXPECT_EQ(rig.registry.backends().size(), 3u);
  EXPECT_EQ(rig.current.snapshots[0].get(), snapshot);
  EXPECT_EQ(rig.pool_at(80), web);
}

// The numbers that a good change gets afterwards are those it would have got at once.
void expect_same_numbers_as_fresh(RegistryRig& rig) {
  RegistryRig fresh;
  fresh.apply(fresh.start());
  fresh.apply(change_with_work(fresh));
  rig.apply(change_with_work(rig));
  EXPECT_EQ(rig.current.fresh_service_counters, fresh.current.fresh_service_counters);
  EXPECT_EQ(rig.current.fresh_backend_counters, fresh.current.fresh_backend_counters);
  EXPECT_EQ(rig.pool_at(90)->number, fresh.pool_at(90)->number);
  EXPECT_EQ(rig.service_at(90)->id, fresh.service_at(90)->id);
}

TEST(RegistryRefusal, LeavesEverythingAsItWas) {
  for (const auto& hostile : kHostile) {
    SCOPED_TRACE(hostile.name);
    RegistryRig rig;
    rig.apply(rig.start());
    Change change = change_with_work(rig);
    hostile.spoil(change);
    expect_untouched(rig, change);
    expect_same_numbers_as_fresh(rig);
  }
}

TEST(RegistryRefusal, NamesAConflictOfGenerations) {
  RegistryRig rig;
  rig.apply(rig.start());
  Change change = change_with_work(rig);
  change.base_generation = 5;
  expect_untouched(rig, change, ErrorKind::kConflict);
}

TEST(RegistryRefusal, HoldsTheLimits) {
  for (const Registry::Limits limits :
       {Registry::Limits{2, 9, 9}, Registry::Limits{9, 2, 9}, Registry::Limits{9, 9, 3}}) {
    RegistryRig rig(limits);
    rig.apply(rig.start());
    expect_untouched(rig, change_with_work(rig), ErrorKind::kInvalid);
  }
}

TEST(RegistryRefusal, UndoesWhenNextHopsRunOut) {
  for (size_t more = 0; more < 6; ++more) {
    RegistryRig rig;
    rig.apply(rig.start());
    rig.next_hops.limit = rig.next_hops.held_in_all() + more;
    expect_untouched(rig, change_with_work(rig));
    rig.next_hops.limit = 1000;
    expect_same_numbers_as_fresh(rig);
  }
}

TEST(RegistryRefusal, UndoesWhereverMemoryRunsOut) {
  size_t refused = 0;
  for (size_t more = 0;; more += 64) {
    RegistryRig rig;
    rig.apply(rig.start());
    rig.memory2.limit = rig.memory2.held + more;
    if (rig.registry.apply(change_with_work(rig))) {
      break;
    }
    ++refused;
    RegistryRig again;
    again.apply(again.start());
    again.memory2.limit = again.memory2.held + more;
    expect_untouched(again, change_with_work(again), ErrorKind::kSystem);
    again.memory2.limit = SIZE_MAX;
    expect_same_numbers_as_fresh(again);
  }
  EXPECT_GT(refused, 5u);
}

}  // namespace
}  // namespace maglb
