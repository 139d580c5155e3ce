#include "dataplane/backend_rows.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "controlplane/publish/heard_stats.h"
#include "tests/support/registry_rig.h"

namespace maglb {
namespace {

using testing::backend;
using testing::pool;
using testing::RegistryRig;
using testing::service;

// A dataplane's counters, and one who asks.
struct Conversation {
  explicit Conversation(BackendRows::Bounds bounds = {})
      : rows([this](uint32_t counter, uint32_t, bool) { return figures[counter]; },
             [](uint32_t next_hop) { return std::to_string(next_hop); }, bounds) {
    rig.apply(rig.start());
  }

  // One part, and how many backends it told. True: there are more.
  bool ask_for_part(HeardStats& heard) {
    ipc::Stats answer;
    rows.tell(rig.registry, heard.next_request(), answer);
    told += static_cast<size_t>(answer.backends_size());
    return heard.take(std::move(answer));
  }
  size_t ask(HeardStats& heard) {
    told = 0;
    parts = 1;
    while (ask_for_part(heard)) {
      ++parts;
    }
    return told;
  }
  // What is heard is what there is, by looking at all of it.
  void expect_same(const HeardStats& heard) {
    size_t count = 0;
    for (const auto& there : rig.registry.backends()) {
      const ipc::BackendStats* known = heard.backend(there.pool, there.name);
      ASSERT_NE(known, nullptr) << there.pool << "/" << there.name;
      ASSERT_EQ(known->traffic().packets(), figures[there.counter].packets);
      ASSERT_EQ(known->flows(), figures[there.counter].flows);
      ASSERT_EQ(known->next_hop(), std::to_string(there.next_hop));
      ++count;
    }
    size_t known = 0;
    for (const auto& [name, backends] : heard.pools()) {
      known += backends.size();
    }
    ASSERT_EQ(known, count) << "nobody is known who is gone";
  }

  RegistryRig rig;
  std::map<uint32_t, BackendRows::Figures> figures;
  BackendRows rows;
  size_t told = 0;
  size_t parts = 0;
};

TEST(BackendRows, TellsAllOnceAndThenWhatChanged) {
  Conversation talk;
  HeardStats heard;
  EXPECT_EQ(talk.ask(heard), 3u);
  EXPECT_EQ(talk.ask(heard), 0u);
  const auto one = talk.rig.registry.backends()[1];
  talk.figures[one.counter].packets = 7;
  EXPECT_EQ(talk.ask(heard), 1u);
  EXPECT_EQ(heard.backend(one.pool, one.name)->traffic().packets(), 7u);
  talk.figures[one.counter].next_hop_version = 1;
  EXPECT_EQ(talk.ask(heard), 1u);
  EXPECT_EQ(talk.ask(heard), 0u);
}

TEST(BackendRows, AHealthTransitionTellsNothing) {
  Conversation talk;
  HeardStats heard;
  talk.ask(heard);
  talk.rig.apply_pool(pool("web", {backend("a", 1, BackendState::kUnhealthy), backend("b", 2)}));
  EXPECT_EQ(talk.ask(heard), 0u);
  talk.expect_same(heard);
}

TEST(BackendRows, APoolOfOtherBackendsIsToldWholeAndARemovedOneIsForgotten) {
  Conversation talk;
  HeardStats heard;
  talk.ask(heard);
  talk.rig.apply_pool(pool("web", {backend("b", 2), backend("c", 4), backend("d", 5)}));
  EXPECT_EQ(talk.ask(heard), 3u);
  talk.expect_same(heard);
  Change change = talk.rig.change();
  change.removed_pools = {"dns"};
  change.services = {service("web", 80, "web")};
  talk.rig.apply(change);
  EXPECT_EQ(talk.ask(heard), 0u);
  EXPECT_EQ(heard.backend("dns", "n"), nullptr);
  talk.expect_same(heard);
}

TEST(BackendRows, TellsOneWhoKnowsAMarkFromBeforeOrFromElsewhereEverything) {
  Conversation talk({.gone = 0});
  HeardStats heard;
  talk.ask(heard);
  Change change = talk.rig.change();
  change.removed_pools = {"dns"};
  change.services = {service("web", 80, "web")};
  talk.rig.apply(change);
  EXPECT_EQ(talk.ask(heard), 2u) << "what is gone was not kept";
  talk.expect_same(heard);
  ipc::StatsRequest request;
  request.set_since(1'000'000);
  ipc::Stats answer;
  talk.rows.tell(talk.rig.registry, request, answer);
  EXPECT_FALSE(answer.changes());
  EXPECT_EQ(answer.backends_size(), 2);
}

TEST(BackendRows, TellsOneWhoKnowsNothingOfPartsEverythingAtOnce) {
  Conversation talk({.looked_at = 1, .told = 1});
  ipc::Stats answer;
  talk.rows.tell(talk.rig.registry, ipc::StatsRequest(), answer);
  EXPECT_EQ(answer.backends_size(), 3);
  EXPECT_TRUE(answer.more_after().empty());
  EXPECT_FALSE(answer.changes());
  HeardStats heard;
  EXPECT_EQ(talk.ask(heard), 3u);
  EXPECT_EQ(talk.parts, 2u) << "one a pool";
}

// Several who ask, in parts of few, at any time between changes of everything.
TEST(BackendRows, WhatIsHeardIsWhatIsThereAfterAnyChanges) {
  constexpr unsigned kSeed = 11;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  Conversation talk({.looked_at = 4, .told = 2, .gone = 3});
  std::vector<HeardStats> heards(3);
  for (int turn = 0; turn < 3000; ++turn) {
    if (random() % 4 == 0) {
      Change change = talk.rig.change(true);
      change.services = std::vector<ServiceSpec>{};
      for (int p = 0; p < 6; ++p) {
        std::vector<BackendSpec> backends;
        for (int b = 0; b < 4; ++b) {
          if (random() % 3 != 0) {
            backends.push_back(backend("b" + std::to_string(b), static_cast<uint8_t>(10 * p + b + 1),
                                       random() % 2 == 0 ? BackendState::kUp : BackendState::kUnhealthy));
          }
        }
        if (random() % 4 != 0) {
          change.pools.push_back(pool("p" + std::to_string(p), backends));
          change.services->push_back(
              service("s" + std::to_string(p), static_cast<uint16_t>(80 + p), "p" + std::to_string(p)));
          change.services->back().forward = random() % 2 == 0 ? ForwardMode::kL2 : ForwardMode::kIpip;
        }
      }
      talk.rig.apply(change);
      talk.rig.sweep();
    }
    for (const auto& there : talk.rig.registry.backends()) {
      if (random() % 5 == 0) {
        ++talk.figures[there.counter].packets;
        talk.figures[there.counter].flows = random() % 100;
      }
    }
    HeardStats& heard = heards[random() % heards.size()];
    if (random() % 2 == 0) {
      talk.ask_for_part(heard);
      continue;
    }
    while (!heard.next_request().after_pool().empty()) {
      talk.ask_for_part(heard);
    }
    talk.ask(heard);
    ASSERT_NO_FATAL_FAILURE(talk.expect_same(heard)) << "turn " << turn;
  }
}

}  // namespace
}  // namespace maglb
