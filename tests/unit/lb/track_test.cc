#include "lib/lb/track.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::Frame;
using testing::Rig;

Bytes tcp(const std::string& flags, uint16_t port = 40000) {
  return Frame().from("192.0.2.1", port).to("198.51.100.1", 80).tcp(flags).bytes();
}
Bytes udp(uint16_t port = 40000) {
  return Frame().from("192.0.2.1", port).to("198.51.100.1", 53).udp().bytes();
}

struct Cell {
  const char* name;
  PlaceState state;
  bool keep_on_failure;
  const char* flags;  // of the packet; "U": UDP
  FlowState before;
  bool keeps;
};

const Cell kCells[] = {
    {"up, mid-stream", PlaceState::kUp, false, "A", FlowState::kEstablished, true},
    {"up, SYN on opening", PlaceState::kUp, false, "S", FlowState::kOpening, true},
    {"up, SYN on established", PlaceState::kUp, false, "S", FlowState::kEstablished, false},
    {"up, SYN on closing", PlaceState::kUp, false, "S", FlowState::kClosing, false},
    {"up, SYN-ACK is no SYN", PlaceState::kUp, false, "SA", FlowState::kEstablished, true},
    {"up, UDP", PlaceState::kUp, false, "U", FlowState::kUdp, true},
    {"drain, mid-stream", PlaceState::kDrain, false, "A", FlowState::kEstablished, true},
    {"drain, FIN", PlaceState::kDrain, false, "FA", FlowState::kEstablished, true},
    {"drain, SYN on opening", PlaceState::kDrain, false, "S", FlowState::kOpening, false},
    {"drain, SYN on established", PlaceState::kDrain, true, "S", FlowState::kEstablished, false},
    {"drain, UDP", PlaceState::kDrain, false, "U", FlowState::kUdp, true},
    {"unhealthy, mid-stream", PlaceState::kUnhealthy, false, "A", FlowState::kEstablished, false},
    {"unhealthy, kept", PlaceState::kUnhealthy, true, "A", FlowState::kEstablished, true},
    {"unhealthy, SYN", PlaceState::kUnhealthy, true, "S", FlowState::kOpening, false},
    {"unhealthy, UDP", PlaceState::kUnhealthy, true, "U", FlowState::kUdp, false},
    {"down, mid-stream", PlaceState::kDown, false, "A", FlowState::kEstablished, false},
    {"down, kept", PlaceState::kDown, true, "A", FlowState::kEstablished, true},
    {"down, SYN", PlaceState::kDown, true, "S", FlowState::kEstablished, false},
    {"down, UDP", PlaceState::kDown, false, "U", FlowState::kUdp, false},
    {"removed, mid-stream", PlaceState::kRemoved, false, "A", FlowState::kEstablished, false},
    {"removed, kept", PlaceState::kRemoved, true, "A", FlowState::kEstablished, true},
    {"removed, SYN", PlaceState::kRemoved, true, "S", FlowState::kOpening, false},
    {"removed, UDP", PlaceState::kRemoved, true, "U", FlowState::kUdp, false},
    {"vacant", PlaceState::kVacant, true, "A", FlowState::kEstablished, false},
};

void bring_to(Rig& rig, FlowState state) {
  if (state == FlowState::kUdp) {
    rig.run(udp());
    rig.run(udp());
    return;
  }
  rig.run(tcp("S"));
  if (state != FlowState::kOpening) {
    rig.run(tcp("A"));
  }
  if (state == FlowState::kClosing) {
    rig.run(tcp("FA"));
  }
}

TEST(Track, FollowsEveryCellOfTheFlowRules) {
  for (const Cell& cell : kCells) {
    SCOPED_TRACE(cell.name);
    Rig rig;
    rig.keep_on_failure = cell.keep_on_failure;
    rig.publish();
    bring_to(rig, cell.before);
    ASSERT_EQ(rig.table().size(cell.before), 1u);
    rig.states[0] = cell.state;
    rig.slots = {1};
    rig.publish();
    const Bytes packet = cell.flags[0] == 'U' ? udp() : tcp(cell.flags);
    EXPECT_EQ(Rig::place_of(rig.run(packet)), cell.keeps ? 0 : 1);
    EXPECT_EQ(rig.events(Event::kFlowsRescheduled), cell.keeps ? 0u : 1u);
    EXPECT_EQ(rig.table().size(), 1u);
    EXPECT_TRUE(rig.counters_add_up());
  }
}

TEST(Track, ANewFlowGoesByTheTableAndMidStreamPacketsMakeAnEntry) {
  Rig rig;
  rig.slots = {2};
  rig.publish();
  EXPECT_EQ(Rig::place_of(rig.run(tcp("A"))), 2);
  EXPECT_EQ(rig.table().opening(), 1u);
  rig.slots = {1};
  rig.publish();
  EXPECT_EQ(Rig::place_of(rig.run(tcp("A"))), 2);
  EXPECT_EQ(rig.table().size(FlowState::kEstablished), 1u);
  EXPECT_EQ(rig.events(Event::kFlowsCreated), 1u);
}

TEST(Track, AResetWithoutAnEntryMakesNone) {
  Rig rig;
  EXPECT_EQ(Rig::place_of(rig.run(tcp("R"))), 0);
  EXPECT_EQ(rig.table().size(), 0u);
}

TEST(Track, ClosesOnFinAndResetAndStaysClosing) {
  for (const char* flags : {"FA", "R", "RA"}) {
    Rig rig;
    bring_to(rig, FlowState::kEstablished);
    rig.run(tcp(flags));
    rig.run(tcp("A"));
    EXPECT_EQ(rig.table().size(FlowState::kClosing), 1u) << flags;
  }
}

TEST(Track, AFlowEndsAfterItsStatesTimeout) {
  Rig rig;
  bring_to(rig, FlowState::kEstablished);
  rig.slots = {1};
  rig.publish();
  rig.now += std::chrono::seconds(900);
  EXPECT_EQ(Rig::place_of(rig.run(tcp("A"))), 0);
  // The margin of a lazily renewed entry, and what a deadline is coarse by.
  rig.now += std::chrono::seconds(900) + ServiceTimeouts::margin(std::chrono::seconds(900)) +
             std::chrono::milliseconds(270);
  EXPECT_EQ(Rig::place_of(rig.run(tcp("A"))), 1);
}

TEST(Track, NoFlowEndsBeforeItHasBeenIdleForItsTimeout) {
  std::mt19937_64 random(37);
  for (int round = 0; round < 300; ++round) {
    Rig rig;
    rig.now += std::chrono::nanoseconds(random() % 10'000'000'000);
    bring_to(rig, FlowState::kEstablished);
    for (uint64_t packets = random() % 40; packets > 0; --packets) {
      rig.now += std::chrono::nanoseconds(random() % 1'000'000'000);
      rig.run(tcp("A"));
    }
    rig.slots = {1};
    rig.publish();
    rig.now += std::chrono::seconds(900);
    ASSERT_EQ(Rig::place_of(rig.run(tcp("A"))), 0) << "round " << round;
  }
}

TEST(Track, ABusyEstablishedFlowIsRenewedNowAndThen) {
  for (const int seconds : {20, 900, 3600, 3601, 86'400}) {
    SCOPED_TRACE(seconds);
    Rig rig;
    rig.timeouts[static_cast<size_t>(FlowState::kEstablished)] = seconds;
    rig.publish();
    bring_to(rig, FlowState::kEstablished);
    const auto expires = [&] {
      uint32_t bits = 0;
      rig.table().for_each(Tick::at(rig.now), [&](const FlowEntry& entry) { bits = entry.expires.bits(); });
      return bits;
    };
    uint32_t before = expires();
    int renewals = 0;
    // 1,000 packets over twice the margin.
    for (int i = 0; i < 1000; ++i) {
      rig.now += ServiceTimeouts::margin(std::chrono::seconds(seconds)) / 500;
      ASSERT_EQ(Rig::place_of(rig.run(tcp("A"))), 0);
      renewals += expires() != before ? 1 : 0;
      before = expires();
    }
    EXPECT_GE(renewals, 1);
    EXPECT_LE(renewals, 4);
  }
}

TEST(Track, AnotherServiceIdKnowsNoFlowOfTheOneBefore) {
  Rig rig;
  bring_to(rig, FlowState::kEstablished);
  rig.slots = {1};
  rig.first_service_id = 10;
  rig.publish();
  EXPECT_EQ(Rig::place_of(rig.run(tcp("A"))), 1);
}

TEST(Track, AStatelessServiceKeepsNothing) {
  Rig rig;
  rig.track_flows = false;
  rig.publish();
  rig.run(tcp("A"));
  rig.slots = {3};
  rig.publish();
  EXPECT_EQ(Rig::place_of(rig.run(tcp("A"))), 3);
  EXPECT_EQ(rig.table().size(), 0u);
}

TEST(Track, WithoutABackendAPacketIsDroppedAndItsEntryStays) {
  Rig rig;
  bring_to(rig, FlowState::kEstablished);
  rig.slots = {kNoBackend};
  rig.states[0] = PlaceState::kDown;
  rig.publish();
  EXPECT_EQ(rig.run(tcp("A")).verdict, Verdict::kDrop);
  EXPECT_EQ(rig.run(tcp("S", 41000)).verdict, Verdict::kDrop);
  EXPECT_EQ(rig.dropped(DropReason::kNoBackend), 2u);
  EXPECT_EQ(rig.table().size(), 1u);
  EXPECT_TRUE(rig.counters_add_up());
}

TEST(Track, WithoutRoomFlowsAreServedFromTheTable) {
  Rig rig(1, 10);
  for (uint16_t port = 1; port <= 10; ++port) {
    rig.run(tcp("S", port));
    rig.run(tcp("A", port));
  }
  EXPECT_EQ(rig.table().size(FlowState::kEstablished), 10u);
  EXPECT_EQ(Rig::place_of(rig.run(tcp("S", 100))), 0);
  EXPECT_EQ(rig.events(Event::kFlowsNotStored), 1u);
  EXPECT_EQ(rig.counters().services[0].new_flows.value(), 10u);
}

TEST(Track, ASynThatCannotOpenAgainLeavesNoEntry) {
  Rig rig(1, 10);
  bring_to(rig, FlowState::kEstablished);
  for (uint16_t port = 1; port <= 5; ++port) {
    rig.run(tcp("S", port));
  }
  rig.slots = {1};
  rig.publish();
  const uint64_t before = rig.counters().backends[1].new_flows.value();
  EXPECT_EQ(Rig::place_of(rig.run(tcp("S"))), 1);
  EXPECT_EQ(rig.table().size(FlowState::kEstablished), 0u);
  EXPECT_EQ(rig.counters().backends[1].new_flows.value(), before);
}

TEST(Track, AdoptsAFlowFromAnotherWorkersTable) {
  for (const bool is_udp : {false, true}) {
    Rig rig(2);
    rig.run(is_udp ? udp() : tcp("S"), 0);
    rig.slots = {1};
    rig.publish();
    EXPECT_EQ(Rig::place_of(rig.run(is_udp ? udp() : tcp("A"), 1)), 0);
    EXPECT_EQ(rig.events(Event::kFlowsAdopted, 1), 1u);
    EXPECT_EQ(rig.table(1).size(is_udp ? FlowState::kUdp : FlowState::kEstablished), 1u);
    EXPECT_EQ(Rig::place_of(rig.run(is_udp ? udp() : tcp("A"), 1)), 0);
    EXPECT_EQ(rig.events(Event::kForeignLookups, 1), 1u);
    EXPECT_TRUE(rig.counters_add_up(1));
  }
}

TEST(Track, AdoptsAnEntryThatNeedsNoChange) {
  Rig rig(2);
  bring_to(rig, FlowState::kEstablished);
  EXPECT_EQ(Rig::place_of(rig.run(tcp("A"), 1)), 0);
  EXPECT_EQ(rig.table(1).size(FlowState::kEstablished), 1u);
}

TEST(Track, ASynLooksInNoOtherTable) {
  Rig rig(2);
  rig.run(tcp("S"), 0);
  rig.slots = {1};
  rig.publish();
  EXPECT_EQ(Rig::place_of(rig.run(tcp("S"), 1)), 1);
  EXPECT_EQ(rig.events(Event::kForeignLookups, 1), 0u);
}

TEST(Track, NeverBringsBackTheNameOfARemovedBackendFromAnotherTable) {
  Rig rig(2);
  bring_to(rig, FlowState::kEstablished);
  rig.states[0] = PlaceState::kRemoved;
  rig.slots = {kNoBackend};
  rig.publish();
  EXPECT_EQ(rig.run(tcp("A"), 1).verdict, Verdict::kDrop);
  EXPECT_EQ(rig.table(1).size(), 0u);
}

TEST(Track, BoundsTheLooksIntoOtherTables) {
  Rig rig(2);
  const uint64_t burst = 8192;
  for (uint32_t i = 0; i < burst + 10; ++i) {
    rig.run(tcp("R", static_cast<uint16_t>(i)), 1);
  }
  EXPECT_EQ(rig.events(Event::kForeignLookups, 1), burst);
  EXPECT_EQ(rig.events(Event::kForeignLookupsSuppressed, 1), 10u);
}

TEST(Track, TheSweepLetsGoOfWhatCannotBeNamedAnyMore) {
  Rig rig;
  const FlowEntry entry{{1, 0}, FlowState::kEstablished, {}};
  EXPECT_TRUE(entry_may_stay(entry, rig.snapshot()));
  EXPECT_FALSE(entry_may_stay({{0, 0}, FlowState::kUdp, {}}, rig.snapshot())) << "no such pool";
  EXPECT_FALSE(entry_may_stay({{9, 0}, FlowState::kUdp, {}}, rig.snapshot())) << "no such pool";
  EXPECT_FALSE(entry_may_stay({{1, 99}, FlowState::kUdp, {}}, rig.snapshot())) << "no such place";
  for (const bool keep : {false, true}) {
    rig.keep_on_failure = keep;
    rig.states[0] = PlaceState::kRemoved;
    rig.publish();
    EXPECT_EQ(entry_may_stay(entry, rig.snapshot()), keep);
  }
  rig.states[0] = PlaceState::kVacant;
  rig.publish();
  EXPECT_FALSE(entry_may_stay(entry, rig.snapshot()));
}

}  // namespace
}  // namespace maglb
