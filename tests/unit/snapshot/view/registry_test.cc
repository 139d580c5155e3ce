#include "lib/snapshot/view/registry.h"

#include <gtest/gtest.h>

#include "tests/support/registry_rig.h"

namespace maglb {
namespace {

using testing::backend;
using testing::pool;
using testing::RegistryRig;
using testing::service;

TEST(Registry, ShowsWhatTheChangeSaysOnEverySocket) {
  RegistryRig rig;
  rig.apply(rig.start());
  ASSERT_EQ(rig.current.snapshots.size(), 2u);
  EXPECT_EQ(rig.registry.generation(), 1u);
  EXPECT_EQ(rig.snapshot(1).generation(), 1u);
  ASSERT_NE(rig.service_at(80), nullptr);
  EXPECT_EQ(rig.service_at(81), nullptr);
  const PoolView& web = *rig.pool_at(80);
  EXPECT_EQ(web.slots.size(), 13u);
  for (const uint16_t slot : web.slots) {
    ASSERT_EQ(web.backends.at(slot).state, PlaceState::kUp);
  }
  EXPECT_EQ(rig.current.fresh_service_counters.size(), 2u);
  EXPECT_EQ(rig.current.fresh_backend_counters.size(), 3u);
  EXPECT_EQ(rig.registry.name_of({web.number, *rig.place_of(80, 2)})->backend, "b");
  EXPECT_EQ(rig.registry.service_name(rig.service_at(53)->id), "dns");
  EXPECT_EQ(rig.registry.backends().size(), 3u);
}

TEST(Registry, KeepsNumbersWhenTheWholeStateIsSentAgain) {
  RegistryRig rig;
  rig.apply(rig.start());
  const uint32_t id = rig.service_at(80)->id;
  const PoolView* const web = rig.pool_at(80);
  Change again = rig.start();
  std::reverse(again.pools.begin(), again.pools.end());
  rig.apply(again);
  EXPECT_EQ(rig.service_at(80)->id, id);
  EXPECT_EQ(rig.pool_at(80), web) << "what did not change is shared";
  EXPECT_TRUE(rig.current.fresh_backend_counters.empty());
  EXPECT_TRUE(rig.current.fresh_service_counters.empty());
  EXPECT_EQ(rig.next_hops.held_in_all(), 6u);
}

TEST(Registry, AFlapMakesOneNewPoolAndSharesAllElse) {
  RegistryRig rig;
  rig.apply(rig.start());
  const PoolView* const web = rig.pool_at(80);
  const PoolView* const dns = rig.pool_at(53);
  const ServiceIndex* const services = &rig.snapshot().services();
  const auto before = std::move(rig.current);
  rig.apply_pool(pool("web", {backend("a", 1, BackendState::kUnhealthy), backend("b", 2)}));
  EXPECT_NE(rig.pool_at(80), web);
  EXPECT_EQ(rig.pool_at(53), dns);
  EXPECT_EQ(&rig.snapshot().services(), services);
  EXPECT_EQ(rig.pool_at(80)->backends[*rig.place_of(80, 1)].state, PlaceState::kUnhealthy);
}

TEST(Registry, ARemovedPlaceIsNotReusedBeforeEverySweepHasPassed) {
  RegistryRig rig;
  rig.apply(rig.start());
  const uint16_t place = *rig.place_of(80, 1);
  rig.apply_pool(pool("web", {backend("b", 2)}));
  EXPECT_EQ(rig.registry.quarantined(), 1u);
  EXPECT_EQ(rig.pool_at(80)->backends[place].state, PlaceState::kRemoved);
  EXPECT_EQ(rig.registry.name_of({rig.pool_at(80)->number, place}), std::nullopt);
  const auto unused = [](BackendId) { return false; };
  rig.registry.collect(10, unused);
  rig.registry.collect(11, unused);
  rig.apply_pool(pool("web", {backend("b", 2), backend("c", 4)}));
  EXPECT_NE(rig.place_of(80, 4), place);
  rig.registry.collect(12, unused);
  EXPECT_EQ(rig.registry.quarantined(), 0u);
  EXPECT_EQ(rig.next_hops.held_in_all(), 6u);
  rig.apply_pool(pool("web", {backend("b", 2), backend("c", 4), backend("d", 5)}));
  EXPECT_EQ(rig.place_of(80, 5), place);
}

TEST(Registry, ABackendThatComesBackGetsItsPlaceAndAnotherAddressIsAnotherBackend) {
  RegistryRig rig;
  rig.apply(rig.start());
  const uint16_t place = *rig.place_of(80, 1);
  rig.apply_pool(pool("web", {backend("a", 9), backend("b", 2)}));
  EXPECT_NE(rig.place_of(80, 9), place);
  EXPECT_EQ(rig.registry.quarantined(), 1u);
  rig.apply_pool(pool("web", {backend("a", 1), backend("b", 2)}));
  EXPECT_EQ(rig.place_of(80, 1), place);
  EXPECT_TRUE(rig.current.fresh_backend_counters.empty());
  rig.sweep();
  EXPECT_EQ(rig.place_of(80, 1), place);
  EXPECT_EQ(rig.next_hops.held_in_all(), 6u);
}

TEST(Registry, APoolThatIsRemovedComesBackWithItsNumber) {
  RegistryRig rig;
  rig.apply(rig.start());
  const uint16_t number = rig.pool_at(53)->number;
  Change without = rig.change();
  without.removed_pools = {"dns"};
  without.services = {service("web", 80, "web")};
  rig.apply(without);
  EXPECT_EQ(rig.snapshot().pool(number), nullptr);
  EXPECT_EQ(rig.registry.quarantined(), 1u);
  rig.apply(rig.start());
  EXPECT_EQ(rig.pool_at(53)->number, number);
  EXPECT_EQ(rig.registry.quarantined(), 0u);
}

TEST(Registry, TheNumberOfAnEmptyPoolIsFreeWithTheNextCollection) {
  Registry::Limits limits;
  limits.pools = 1;
  RegistryRig rig(limits);
  Change change = rig.change();
  change.pools = {pool("a", {})};
  change.services.emplace();
  rig.apply(change);
  Change next = rig.change();
  next.pools = {pool("b", {})};
  next.removed_pools = {"a"};
  EXPECT_FALSE(rig.registry.apply(next));
  next.pools.clear();
  rig.apply(next);
  rig.sweep(false);
  next = rig.change();
  next.pools = {pool("b", {})};
  rig.apply(next);
}

TEST(Registry, WhereFlowsAreKeptARemovedBackendStaysUntilNoneIsLeft) {
  RegistryRig rig;
  Change start = rig.start();
  (*start.services)[0].keep_on_failure = true;
  rig.apply(start);
  EXPECT_TRUE(rig.pool_at(80)->keep_on_failure);
  EXPECT_FALSE(rig.pool_at(53)->keep_on_failure);
  rig.apply_pool(pool("web", {backend("b", 2)}));
  rig.sweep(true);
  rig.sweep(true);
  EXPECT_EQ(rig.registry.quarantined(), 1u);
  rig.sweep(false);
  EXPECT_EQ(rig.registry.quarantined(), 0u);
}

TEST(Registry, WhereFlowsAreNoLongerKeptTheSweepsCountFromThen) {
  RegistryRig rig;
  Change start = rig.start();
  (*start.services)[0].keep_on_failure = true;
  rig.apply(start);
  rig.apply_pool(pool("web", {backend("b", 2)}));
  rig.sweep(true);
  Change next = rig.change();
  next.services = {service("web", 80, "web"), service("dns", 53, "dns")};
  rig.apply(next);
  EXPECT_TRUE(rig.snapshot().has_removed());
  rig.registry.collect(rig.rounds, [](BackendId) { return false; });
  EXPECT_EQ(rig.registry.quarantined(), 1u) << "the sweeps that erase them are still to come";
  rig.sweep();
  EXPECT_EQ(rig.registry.quarantined(), 0u);
}

TEST(Registry, WhereFlowsWereKeptARemovedPoolWaitsForSweepsOfItsOwn) {
  RegistryRig rig;
  Change start = rig.start();
  (*start.services)[0].keep_on_failure = true;
  rig.apply(start);
  rig.apply_pool(pool("web", {}));
  rig.sweep(true);
  EXPECT_EQ(rig.registry.quarantined(), 2u);
  Change without = rig.change();
  without.removed_pools = {"web"};
  without.services = {service("dns", 53, "dns")};
  rig.apply(without);
  EXPECT_TRUE(rig.snapshot().has_removed());
  rig.registry.collect(rig.rounds, [](BackendId) { return false; });
  EXPECT_EQ(rig.registry.quarantined(), 2u);
}

TEST(Registry, EverySnapshotSaysThatSomethingRemovedWaitsUntilItIsFree) {
  RegistryRig rig;
  rig.apply(rig.start());
  EXPECT_FALSE(rig.snapshot().has_removed());
  rig.apply_pool(pool("web", {backend("b", 2)}));
  EXPECT_TRUE(rig.snapshot(0).has_removed());
  EXPECT_TRUE(rig.snapshot(1).has_removed());
  rig.registry.collect(10, [](BackendId) { return false; });
  rig.apply_pool(pool("dns", {backend("n", 3, BackendState::kDrain)}));
  EXPECT_TRUE(rig.snapshot().has_removed()) << "of a change of another pool, too";
  rig.registry.collect(12, [](BackendId) { return false; });
  rig.apply_pool(pool("dns", {backend("n", 3)}));
  EXPECT_FALSE(rig.snapshot().has_removed());
}

TEST(Registry, ASnapshotSaysThatARemovedPoolWaits) {
  RegistryRig rig;
  rig.apply(rig.start());
  Change without = rig.change();
  without.removed_pools = {"dns"};
  without.services = {service("web", 80, "web")};
  rig.apply(without);
  EXPECT_TRUE(rig.snapshot().has_removed());
  rig.sweep();
  rig.apply_pool(pool("web", {backend("a", 1), backend("b", 2)}));
  EXPECT_FALSE(rig.snapshot().has_removed());
}

TEST(Registry, ABackendThatComesBackEndsItsRemoval) {
  RegistryRig rig;
  rig.apply(rig.start());
  rig.apply_pool(pool("web", {backend("b", 2)}));
  rig.apply_pool(pool("web", {backend("a", 1), backend("b", 2)}));
  EXPECT_FALSE(rig.snapshot().has_removed());
}

TEST(Registry, AServicesChangeOfMindOnFlowsMakesANewView) {
  RegistryRig rig;
  rig.apply(rig.start());
  Change keeping = rig.change();
  keeping.services = {service("web", 80, "web"), service("dns", 53, "dns")};
  (*keeping.services)[0].keep_on_failure = true;
  rig.apply(keeping);
  EXPECT_TRUE(rig.pool_at(80)->keep_on_failure);
}

TEST(Registry, AServiceHasAnotherIdWhenItsAddressIsAnother) {
  RegistryRig rig;
  rig.apply(rig.start());
  const uint32_t web = rig.service_at(80)->id;
  const uint32_t dns = rig.service_at(53)->id;
  Change moved = rig.change();
  moved.services = {service("web", 8080, "web"), service("dns", 53, "dns")};
  rig.apply(moved);
  EXPECT_NE(rig.service_at(8080)->id, web);
  EXPECT_EQ(rig.service_at(53)->id, dns);
  EXPECT_EQ(rig.current.fresh_service_counters, std::vector<uint32_t>{rig.service_at(8080)->counter});
  rig.apply(rig.start());
  EXPECT_NE(rig.service_at(80)->id, web) << "an id is never used again";
}

TEST(Registry, ReplacesAsManyServicesAsThereMayBe) {
  RegistryRig rig({.services = 2});
  rig.apply(rig.start());
  Change renamed = rig.change();
  renamed.services = {service("web2", 80, "web"), service("dns2", 53, "dns")};
  rig.apply(renamed);
  EXPECT_EQ(rig.current.fresh_service_counters.size(), 2u);
  EXPECT_NE(rig.service_at(80)->counter, rig.service_at(53)->counter);
}

TEST(Registry, ATableOfUnhealthyBackendsIsServedAsItIs) {
  RegistryRig rig;
  rig.apply(rig.start());
  rig.apply_pool(
      pool("web", {backend("a", 1, BackendState::kUnhealthy), backend("b", 2, BackendState::kDown)}));
  EXPECT_EQ(rig.pool_at(80)->backends[*rig.place_of(80, 1)].state, PlaceState::kUp);
  EXPECT_EQ(rig.pool_at(80)->backends[*rig.place_of(80, 2)].state, PlaceState::kDown);
}

TEST(Registry, GivesEverythingBack) {
  testing::CountingMemory memory;
  testing::CountingNextHops next_hops;
  {
    Registry registry({}, next_hops, {&memory});
    const RegistryRig words;
    const auto applied = registry.apply(words.start());
    ASSERT_TRUE(applied);
    EXPECT_GT(memory.held, 0u);
    EXPECT_EQ(next_hops.held_in_all(), 6u);
    Change empty;
    empty.generation = 2;
    ASSERT_TRUE(registry.apply(empty));
    for (uint64_t round = 0; round < 3; ++round) {
      registry.collect(round, [](BackendId) { return false; });
    }
    EXPECT_EQ(next_hops.held_in_all(), 0u);
    ASSERT_TRUE(registry.apply(words.start()));
  }
  EXPECT_EQ(next_hops.held_in_all(), 0u);
  EXPECT_EQ(memory.held, 0u);
}

}  // namespace
}  // namespace maglb
