// Connection ids that name a server, while configurations, states and workers change. What they look like is
// in tests/golden/test_quic.py.
#include "lib/lb/quic_route.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::Frame;
using testing::Rig;

// Behind the UDP header.
Bytes datagram(const Bytes& payload, uint16_t port = 40000) {
  Bytes frame = Frame().from("192.0.2.1", port).to("198.51.100.1", 53).udp().payload(payload.size()).bytes();
  std::copy(payload.begin(), payload.end(), frame.begin() + 42);
  return frame;
}
// A short header with an id of configuration 2: server id of 2 octets, nonce of 4.
Bytes to_server(uint8_t server, uint16_t port = 40000) {
  return datagram({0x40, 0x5f, 0x0a, server, 1, 2, 3, 4, 0xaa, 0xbb}, port);
}
const Bytes kNamesNobody = {0x40, 0xff, 0x0a, 1, 1, 2, 3, 4, 0xaa, 0xbb};

void route(Rig& rig) {
  rig.udp_options.quic = {{2, 2, 4}};
  rig.server_ids = {{{0x0a, 1}, 1}, {{0x0a, 2}, 2}, {{0x0a, 3}, 3}};
  rig.publish();
}

TEST(QuicRoute, FollowsTheIdWhateverTheStateLetsIt) {
  for (const auto& [state, routed] : {std::pair{PlaceState::kUp, true},
                                      {PlaceState::kDrain, true},
                                      {PlaceState::kUnhealthy, false},
                                      {PlaceState::kDown, false},
                                      {PlaceState::kRemoved, false},
                                      {PlaceState::kVacant, false}}) {
    SCOPED_TRACE(static_cast<int>(state));
    Rig rig;
    route(rig);
    rig.states[2] = state;
    rig.publish();
    EXPECT_EQ(Rig::place_of(rig.run(to_server(2))), routed ? 2 : 0);
    EXPECT_EQ(rig.events(Event::kQuicRouted), routed ? 1u : 0u);
    EXPECT_EQ(rig.events(Event::kQuicByTable), routed ? 0u : 1u);
    EXPECT_TRUE(rig.counters_add_up());
  }
}

TEST(QuicRoute, WhatNamesNobodyFollowsTheRoutedPacketsOfItsFlow) {
  Rig rig;
  route(rig);
  EXPECT_EQ(Rig::place_of(rig.run(datagram(kNamesNobody))), 0) << "by the table";
  EXPECT_EQ(Rig::place_of(rig.run(to_server(2))), 2);
  EXPECT_EQ(Rig::place_of(rig.run(datagram(kNamesNobody))), 2);
  EXPECT_EQ(Rig::place_of(rig.run(to_server(3))), 3);
  EXPECT_EQ(Rig::place_of(rig.run(datagram(kNamesNobody))), 3);
  EXPECT_EQ(rig.table().size(FlowState::kUdp), 1u);
  EXPECT_EQ(rig.events(Event::kFlowsCreated), 1u);
  EXPECT_EQ(rig.events(Event::kFlowsRescheduled), 2u);
}

TEST(QuicRoute, OnAnotherWorkerToo) {
  Rig rig(2);
  route(rig);
  rig.run(to_server(2), 0);
  EXPECT_EQ(Rig::place_of(rig.run(datagram(kNamesNobody), 1)), 2);
  EXPECT_EQ(Rig::place_of(rig.run(to_server(2), 1)), 2);
}

TEST(QuicRoute, WhenTheServerGoesItsFlowGoesOn) {
  Rig rig;
  route(rig);
  rig.run(to_server(2));
  rig.states[2] = PlaceState::kDown;
  rig.publish();
  EXPECT_EQ(Rig::place_of(rig.run(to_server(2))), 0);
  rig.states[2] = PlaceState::kUp;
  rig.publish();
  EXPECT_EQ(Rig::place_of(rig.run(to_server(2))), 2);
}

TEST(QuicRoute, AFullTableStillRoutes) {
  Rig rig(1, 10);
  route(rig);
  for (uint16_t port = 1; port <= 200; ++port) {
    ASSERT_EQ(Rig::place_of(rig.run(to_server(2, port))), 2);
  }
  EXPECT_GT(rig.events(Event::kFlowsNotStored), 0u);
  EXPECT_EQ(rig.events(Event::kFlowsCreated) + rig.events(Event::kFlowsNotStored), 200u);
}

TEST(QuicRoute, ARoutedFlowIsRenewed) {
  Rig rig;
  route(rig);
  for (int i = 0; i < 20; ++i) {
    rig.run(to_server(2));
    rig.now += std::chrono::seconds(40);
  }
  EXPECT_EQ(rig.events(Event::kFlowsCreated), 1u);
  EXPECT_EQ(Rig::place_of(rig.run(datagram(kNamesNobody))), 2);
}

// Cut at every length, and filled with anything: read within the frame, and forwarded.
TEST(QuicRoute, TakesAnyPayload) {
  const uint64_t seed = 53;
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  Rig rig;
  route(rig);
  uint64_t sent = 0;
  for (size_t length = 0; length < 60; ++length) {
    for (int i = 0; i < 200; ++i) {
      Bytes payload(length);
      for (uint8_t& octet : payload) {
        octet = static_cast<uint8_t>(random());
      }
      if (length > 6 && i % 2 == 0) {
        payload[0] |= 0x80;
        payload[5] = static_cast<uint8_t>(random() % 24);
        payload[6] = static_cast<uint8_t>(0x40 | (payload[6] & 0x1f));
      }
      ASSERT_EQ(rig.run(datagram(payload)).verdict, Verdict::kSend);
      ++sent;
    }
  }
  EXPECT_EQ(rig.events(Event::kQuicRouted) + rig.events(Event::kQuicByTable), sent);
  EXPECT_TRUE(rig.counters_add_up());
}

}  // namespace
}  // namespace maglb
