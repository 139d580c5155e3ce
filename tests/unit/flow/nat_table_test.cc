#include "lib/flow/nat_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "tests/unit/flow/nat_rig.h"

namespace maglb {
namespace {

using std::chrono::seconds;

TEST(NatTable, FindsASessionByFlowAndByPort) {
  NatRig rig(nat_ports({"10.0.0.0/29", "fd00::/125"}, {}, 4), 2);
  for (const bool v6 : {false, true}) {
    for (const Protocol protocol : {Protocol::kTcp, Protocol::kUdp}) {
      const FlowKey key = NatRig::key(40000, protocol, v6);
      EXPECT_EQ(rig.find(key), nullptr);
      const auto [session, how] = rig.open(key);
      ASSERT_EQ(how, NatOpening::kOpened);
      EXPECT_TRUE(session->is_of(key, NatRig::kService));
      EXPECT_EQ(session->nat.is_v4(), !v6);
      EXPECT_EQ(rig.ports.addresses()[session->nat_index], session->nat);
      EXPECT_EQ(rig.ports.owner_of(session->nat, session->nat_port.host()), std::optional<uint32_t>(2));
      EXPECT_EQ(session->backend_id, (BackendId{3, 4}));
      EXPECT_EQ(rig.find(key), session);
      EXPECT_EQ(rig.find_reply(*session), session);
    }
  }
  EXPECT_EQ(rig.table.size(), 4u);
}

TEST(NatTable, ComparesTheWholeKeyAndTheService) {
  NatRig rig(nat_ports({"10.0.0.1"}, {}));
  const FlowKey key = NatRig::key(40000);
  rig.open(key);
  const FlowDigest digest = rig.digest(key);
  EXPECT_NE(rig.table.find(key, NatRig::kService, digest, rig.now), nullptr);
  // The same digest, as if it met another's.
  EXPECT_EQ(rig.table.find(key, NatRig::kService + 1, digest, rig.now), nullptr);
  EXPECT_EQ(rig.table.find(NatRig::key(40001), NatRig::kService, digest, rig.now), nullptr);
  EXPECT_EQ(rig.table.find(NatRig::key(40000, Protocol::kUdp), NatRig::kService, digest, rig.now), nullptr);
}

TEST(NatTable, KnowsNoReplyToWhatIsNotItsOwn) {
  NatRig rig(nat_ports({"10.0.0.0/31"}, {1000, 1099}, 2), 1);
  const auto [session, how] = rig.open(NatRig::key(1));
  const uint16_t port = session->nat_port.host();
  const auto other_index = static_cast<uint8_t>(1 - session->nat_index);
  const Tick tick = Tick::at(rig.now);
  EXPECT_EQ(rig.table.find_reply(other_index, port, Protocol::kTcp, tick), nullptr);
  EXPECT_EQ(rig.table.find_reply(session->nat_index, port, Protocol::kUdp, tick), nullptr);
  EXPECT_EQ(rig.table.find_reply(2, port, Protocol::kTcp, tick), nullptr);
  EXPECT_EQ(rig.table.find_reply(255, port, Protocol::kUdp, tick), nullptr);
  for (const int foreign : {0, 999, 1000, 1049, 1100, 65535}) {
    EXPECT_EQ(rig.table.find_reply(0, static_cast<uint16_t>(foreign), Protocol::kTcp, tick), nullptr);
  }
}

TEST(NatTable, GivesEveryPortOnceAndThenNone) {
  NatRig rig(nat_ports({"10.0.0.0/31"}, {1000, 1031}));
  std::set<std::pair<int, int>> taken;
  uint16_t client = 0;
  for (int refused = 0; refused == 0;) {
    const auto [session, how] = rig.open(NatRig::key(++client));
    if (how == NatOpening::kNoPort) {
      EXPECT_EQ(session, nullptr);
      ++refused;
      continue;
    }
    EXPECT_EQ(how, NatOpening::kOpened);
    EXPECT_TRUE(taken.emplace(session->nat_index, session->nat_port.host()).second);
    rig.establish(*session);
  }
  EXPECT_EQ(taken.size(), 64u);
  EXPECT_EQ(rig.table.size(), 64u);
  // UDP has ports of its own.
  EXPECT_EQ(rig.open(NatRig::key(1, Protocol::kUdp)).how, NatOpening::kOpened);
}

TEST(NatTable, HasNoPortForAFamilyWithoutAddress) {
  NatRig rig(nat_ports({"10.0.0.1"}, {}));
  EXPECT_EQ(rig.open(NatRig::key(1, Protocol::kTcp, true)).how, NatOpening::kNoPort);
  EXPECT_EQ(rig.table.size(), 0u);
}

TEST(NatTable, ReplacesTheOldestOpeningSessionUnderAFlood) {
  NatRig rig(nat_ports({"10.0.0.1"}, {1000, 1099}));
  std::vector<FlowKey> established;
  for (uint16_t i = 0; i < 30; ++i) {
    established.push_back(NatRig::key(i));
    rig.establish(*rig.open(established.back()).session);
  }
  for (uint16_t i = 1000; i < 6000; ++i) {
    const NatOpening how = rig.open(NatRig::key(i)).how;
    EXPECT_EQ(how, i < 1050 ? NatOpening::kOpened : NatOpening::kReplaced);
    ASSERT_LE(rig.table.opening(), 50u);
  }
  for (uint16_t i = 5950; i < 6000; ++i) {
    EXPECT_NE(rig.find(NatRig::key(i)), nullptr) << i;
  }
  EXPECT_EQ(rig.find(NatRig::key(5949)), nullptr);
  for (const FlowKey& key : established) {
    EXPECT_NE(rig.find(key), nullptr);
  }
  // A client that answers gets through and stays.
  NatSession* const session = rig.open(NatRig::key(7000)).session;
  rig.establish(*session);
  for (uint16_t i = 8000; i < 9000; ++i) {
    rig.open(NatRig::key(i));
  }
  EXPECT_EQ(rig.find(NatRig::key(7000)), session);
  EXPECT_EQ(rig.table.size(), 81u);
}

TEST(NatTable, LetsAPortRestBeforeItIsGivenAgain) {
  NatRig rig(nat_ports({"10.0.0.1"}, {1000, 1000}));
  const FlowKey key = NatRig::key(1);
  rig.establish(*rig.open(key).session);
  rig.table.erase(*rig.find(key), rig.now);
  EXPECT_EQ(rig.find(key), nullptr);
  EXPECT_EQ(rig.table.size(), 0u);
  EXPECT_EQ(rig.open(key).how, NatOpening::kNoPort);
  rig.pass(seconds(1));
  EXPECT_EQ(rig.open(key).how, NatOpening::kNoPort);
  rig.pass(std::chrono::milliseconds(300));  // two ticks
  EXPECT_EQ(rig.open(key).how, NatOpening::kOpened);
}

TEST(NatTable, KeepsAClosingSessionForItsTimeAndFreesItsPortThen) {
  NatRig rig(nat_ports({"10.0.0.1"}, {1000, 1000}));
  const FlowKey key = NatRig::key(1);
  NatSession* const session = rig.open(key).session;
  rig.establish(*session);
  rig.table.close(*session, seconds(5), rig.now);
  rig.pass(seconds(5));
  EXPECT_EQ(rig.find(key), session);
  EXPECT_EQ(rig.find_reply(*session), session);
  rig.pass(std::chrono::milliseconds(300));
  EXPECT_EQ(rig.find(key), nullptr);
  EXPECT_EQ(rig.open(key).how, NatOpening::kOpened);
}

TEST(NatTable, EndsSessionsThatMayNotBeKept) {
  NatRig rig(nat_ports({"10.0.0.1"}, {1000, 1999}));
  for (uint16_t i = 0; i < 400; ++i) {
    rig.open(NatRig::key(i));
    rig.find(NatRig::key(i))->backend_id.place = i % 2;
  }
  const auto gone = [](const NatSession& session) { return session.backend_id.place == 0; };
  size_t calls = 1;
  while (!rig.table.sweep(7, rig.now, gone)) {
    ++calls;
  }
  EXPECT_EQ(calls, 2000 / 7 + 1u);  // TCP's and UDP's slots
  EXPECT_EQ(rig.table.size(), 200u);
  for (uint16_t i = 0; i < 400; ++i) {
    EXPECT_EQ(rig.find(NatRig::key(i)) != nullptr, i % 2 == 0);
  }
}

TEST(NatTable, SpreadsFlowsOverAddressesAndPorts) {
  NatRig rig(nat_ports({"10.0.0.0/29"}, {}));
  std::map<int, int> by_address;
  std::array<int, 64> by_port{};
  int neighbours = 0;
  int last = 0;
  for (uint16_t i = 0; i < 16000; ++i) {
    const NatSession& session = *rig.open(NatRig::key(i)).session;
    ++by_address[session.nat_index];
    const int port = session.nat_port.host();
    ++by_port[static_cast<size_t>(port - 1024) * 64 / 64512];
    neighbours += std::abs(port - last) < 100 ? 1 : 0;
    last = port;
  }
  for (const auto& [index, count] : by_address) {
    EXPECT_NEAR(count, 2000, 250) << index;
  }
  for (const int count : by_port) {
    EXPECT_NEAR(count, 250, 90);
  }
  // Two of random ports are that near with 1 in 324.
  EXPECT_LT(neighbours, 100);
}

TEST(NatTable, GivesOtherPortsUnderAnotherKey) {
  NatRig one(nat_ports({"10.0.0.1"}, {}), 0, 1);
  NatRig other(nat_ports({"10.0.0.1"}, {}), 0, 100);
  int same = 0;
  for (uint16_t i = 0; i < 1000; ++i) {
    same += one.open(NatRig::key(i)).session->nat_port == other.open(NatRig::key(i)).session->nat_port;
  }
  EXPECT_LT(same, 5);
}

// Hands out a given number of bytes, once.
TEST(NatTable, NeedsTheMemoryItSaysAndNothingLater) {
  const NatPorts ports = nat_ports({"10.0.0.0/30", "fd00::1"}, {2000, 2999}, 3);
  const size_t bytes = NatTable::size_bytes_for(5, 1000, 3);
  std::vector<std::byte> buffer(bytes);
  std::pmr::monotonic_buffer_resource memory(buffer.data(), buffer.size(), std::pmr::null_memory_resource());
  NatTable table(ports, 1, {1, 2}, seconds(1), &memory);
  const FlowHash hash({3, 4});
  for (uint32_t i = 0; i < 20000; ++i) {
    NatFlow flow;
    flow.key = NatRig::key(static_cast<uint16_t>(i), i % 2 == 0 ? Protocol::kTcp : Protocol::kUdp);
    flow.digest = hash.digest(flow.key, 1);
    flow.backend = address("10.1.1.1");
    ASSERT_NE(table.open(flow, seconds(1), seconds(5)).how, NatOpening::kNoPort);
  }
  EXPECT_EQ(table.capacity(), 2 * 5 * 333u);
}

}  // namespace
}  // namespace maglb
