// ICMP errors about flows of which an entry says something else than the table. What counts as an error,
// and every mode, is in tests/golden/test_icmp_errors.py.
#include "lib/lb/icmp_error.h"

#include <gtest/gtest.h>

#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::Frame;
using testing::Rig;

// A flow and what is said about what its backend sends.
struct Flow {
  const char* name;
  std::string client;
  std::string service;
  uint16_t port;

  bool is_tcp() const { return port == 80; }
  bool is_v6() const { return client.find(':') != std::string::npos; }
  Bytes packet(const std::string& flags) const {
    Frame frame = Frame().from(client, 40000).to(service, port);
    return is_tcp() ? frame.tcp(flags).bytes() : frame.udp().bytes();
  }
  // What its backend sends, without Ethernet.
  Bytes reply() const {
    Frame frame;
    frame.from(service, port).to(client, 40000).payload(100);
    is_tcp() ? frame.tcp("A") : frame.udp();
    const Bytes bytes = frame.bytes();
    return {bytes.begin() + 14, bytes.end()};
  }
  // "Too big" about that, from a router to the service's address.
  Bytes error() const {
    Bytes frame = router_says(reply().size());
    const size_t icmp = is_v6() ? 54 : 34;
    std::fill_n(frame.begin() + static_cast<std::ptrdiff_t>(icmp), 8, uint8_t{0});
    frame[icmp] = is_v6() ? 2 : 3;
    frame[icmp + 1] = is_v6() ? 0 : 4;
    const Bytes quoted = reply();
    std::copy(quoted.begin(), quoted.end(), frame.begin() + static_cast<std::ptrdiff_t>(icmp) + 8);
    return frame;
  }

 private:
  // Of UDP's headers, which are as long as ICMP's.
  Bytes router_says(size_t size) const {
    Frame frame;
    frame.from(is_v6() ? "2001:db8:f::9" : "203.0.113.9", 0).to(service, 0);
    frame.payload(size).protocol(is_v6() ? 58 : 1);
    return frame.bytes();
  }
};

const Flow kFlows[] = {{"tcp", "192.0.2.1", "198.51.100.1", 80},
                       {"udp", "192.0.2.1", "198.51.100.1", 53},
                       {"tcp of IPv6", "2001:db8:c::1", "2001:db8:100::1", 80},
                       {"udp of IPv6", "2001:db8:c::1", "2001:db8:100::1", 53}};

void establish(Rig& rig, const Flow& flow, size_t worker = 0) {
  rig.run(flow.packet("S"), worker);
  rig.run(flow.packet("A"), worker);
}

void let_table_say(Rig& rig, uint16_t place) {
  rig.slots = {place};
  rig.publish();
}

std::vector<std::pair<FlowState, uint32_t>> entries(Rig& rig, size_t worker = 0) {
  std::vector<std::pair<FlowState, uint32_t>> list;
  rig.table(worker).for_each(Tick::at(rig.now), [&](const FlowEntry& entry) {
    list.emplace_back(entry.state, entry.expires.bits());
  });
  return list;
}

TEST(IcmpError, GoesByTheFlowsEntryAndLeavesItAsItIs) {
  for (const Flow& flow : kFlows) {
    SCOPED_TRACE(flow.name);
    Rig rig;
    establish(rig, flow);
    let_table_say(rig, 1);
    // So late that a packet of the flow would renew the entry.
    rig.now += std::chrono::seconds(flow.is_tcp() ? 899 : 59);
    const auto before = entries(rig);
    ASSERT_EQ(before.size(), 1u);
    EXPECT_EQ(Rig::place_of(rig.run(flow.error())), 0);
    EXPECT_EQ(entries(rig), before);
    EXPECT_EQ(rig.events(Event::kIcmpErrorsForwarded), 1u);
    EXPECT_EQ(rig.counters().services[flow.is_tcp() ? 0 : 1].packets.value(), 2u)
        << "it is none of the flow's";
    EXPECT_TRUE(rig.counters_add_up());
  }
}

TEST(IcmpError, IsForwardedBitForBit) {
  for (const Flow& flow : kFlows) {
    SCOPED_TRACE(flow.name);
    Rig rig;
    const Bytes error = flow.error();
    const auto sent = rig.run(error);
    ASSERT_EQ(sent.verdict, Verdict::kSend);
    ASSERT_GE(sent.frame.size(), error.size());
    EXPECT_EQ(Bytes(sent.frame.end() - static_cast<std::ptrdiff_t>(error.size() - 14), sent.frame.end()),
              Bytes(error.begin() + 14, error.end()));
  }
}

TEST(IcmpError, GoesByAnotherWorkersEntryAndAdoptsNothing) {
  for (const Flow& flow : kFlows) {
    SCOPED_TRACE(flow.name);
    Rig rig(3);
    establish(rig, flow, 2);
    let_table_say(rig, 1);
    EXPECT_EQ(Rig::place_of(rig.run(flow.error(), 0)), 0);
    EXPECT_EQ(rig.events(Event::kForeignLookups), 1u);
    EXPECT_EQ(rig.events(Event::kFlowsAdopted), 0u);
    EXPECT_EQ(rig.table(0).size() + rig.table(1).size(), 0u);
    EXPECT_TRUE(rig.counters_add_up());
  }
}

TEST(IcmpError, GoesByTheTableWithoutAnEntryAndMakesNone) {
  for (const Flow& flow : kFlows) {
    SCOPED_TRACE(flow.name);
    Rig rig(2);
    let_table_say(rig, 3);
    EXPECT_EQ(Rig::place_of(rig.run(flow.error())), 3);
    EXPECT_EQ(rig.table().size(), 0u);
    EXPECT_EQ(rig.events(Event::kFlowsCreated), 0u);
  }
}

TEST(IcmpError, FollowsTheRulesOfTheFlow) {
  struct Cell {
    PlaceState state;
    bool keep_on_failure;
    bool keeps_tcp;
    bool keeps_udp;
  };
  for (const Cell& cell :
       {Cell{PlaceState::kUp, false, true, true}, Cell{PlaceState::kDrain, false, true, true},
        Cell{PlaceState::kUnhealthy, false, false, false}, Cell{PlaceState::kUnhealthy, true, true, false},
        Cell{PlaceState::kDown, true, true, false}, Cell{PlaceState::kRemoved, false, false, false},
        Cell{PlaceState::kVacant, true, false, false}}) {
    for (const Flow& flow : kFlows) {
      SCOPED_TRACE(std::string(flow.name) + ", state " + std::to_string(static_cast<int>(cell.state)));
      Rig rig;
      rig.keep_on_failure = cell.keep_on_failure;
      rig.publish();
      establish(rig, flow);
      rig.states[0] = cell.state;
      let_table_say(rig, 1);
      EXPECT_EQ(Rig::place_of(rig.run(flow.error())),
                (flow.is_tcp() ? cell.keeps_tcp : cell.keeps_udp) ? 0 : 1);
      EXPECT_EQ(rig.events(Event::kFlowsRescheduled), 0u);
    }
  }
}

TEST(IcmpError, AnEntryThatIsOverSaysNothing) {
  Rig rig;
  establish(rig, kFlows[0]);
  let_table_say(rig, 1);
  constexpr Duration kTimeout = std::chrono::seconds(900);
  rig.now += kTimeout + ServiceTimeouts::margin(kTimeout) + std::chrono::seconds(1);
  EXPECT_EQ(Rig::place_of(rig.run(kFlows[0].error())), 1);
}

TEST(IcmpError, BoundsTheLooksIntoOtherTables) {
  Rig rig(2);
  constexpr uint64_t kBurst = 8192;
  const Bytes error = kFlows[0].error();
  for (uint64_t i = 0; i < kBurst + 10; ++i) {
    rig.run(error);
  }
  EXPECT_EQ(rig.events(Event::kForeignLookups), kBurst);
  EXPECT_EQ(rig.events(Event::kForeignLookupsSuppressed), 10u);
  EXPECT_EQ(rig.events(Event::kIcmpErrorsForwarded), kBurst + 10) << "by the table";
}

TEST(IcmpError, AStatelessServiceLooksNowhere) {
  Rig rig(2);
  establish(rig, kFlows[0], 1);
  rig.track_flows = false;
  let_table_say(rig, 2);
  EXPECT_EQ(Rig::place_of(rig.run(kFlows[0].error())), 2);
  EXPECT_EQ(rig.events(Event::kForeignLookups), 0u);
}

TEST(IcmpError, WithoutABackendItIsDropped) {
  Rig rig;
  let_table_say(rig, kNoBackend);
  EXPECT_EQ(rig.run(kFlows[0].error()).verdict, Verdict::kDrop);
  EXPECT_EQ(rig.dropped(DropReason::kNoBackend), 1u);
  EXPECT_EQ(rig.events(Event::kIcmpErrorsForwarded), 0u);
}

}  // namespace
}  // namespace maglb
