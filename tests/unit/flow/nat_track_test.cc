#include "lib/flow/nat_track.h"

#include <gtest/gtest.h>

#include "lib/flow/nat_stream.h"
#include "tests/unit/flow/nat_rig.h"

namespace maglb {
namespace {

using std::chrono::seconds;

class NatTrack : public ::testing::Test {
 protected:
  NatSession& open(Protocol protocol = Protocol::kTcp) {
    return *rig_.open(NatRig::key(1, protocol)).session;
  }
  NatSession& established() {
    NatSession& session = open();
    rig_.establish(session, 1000, 5000);
    return session;
  }
  // How long the session is kept from now on.
  Duration left(const NatSession& session) { return session.expires.left(Tick::at(rig_.now)); }
  void expect_left(const NatSession& session, Duration timeout) {
    EXPECT_GE(left(session), timeout);
    EXPECT_LE(left(session), timeout + std::chrono::milliseconds(300));
  }

  NatRig rig_{nat_ports({"10.0.0.1"}, {})};
};

TEST_F(NatTrack, EstablishesWhenTheClientAcknowledgesTheBackendsSyn) {
  NatSession& session = open();
  rig_.client(session, {kTcpSyn, 1000, 0});
  EXPECT_EQ(session.state, NatState::kOpening);
  rig_.backend(session, {kTcpSyn | kTcpAck, 5000, 1001});
  EXPECT_EQ(session.state, NatState::kOpening);
  expect_left(session, rig_.timeouts.opening);
  rig_.client(session, {kTcpAck, 1001, 5001});
  EXPECT_EQ(session.state, NatState::kEstablished);
  expect_left(session, rig_.timeouts.established);
  EXPECT_EQ(rig_.table.opening(), 0u);
}

TEST_F(NatTrack, DoesNotBelieveAClientThatHasNotSeenTheSyn) {
  NatSession& session = open();
  rig_.client(session, {kTcpSyn, 1000, 0});
  rig_.client(session, {kTcpAck, 1001, 5001});
  EXPECT_EQ(session.state, NatState::kOpening);
  rig_.backend(session, {kTcpSyn | kTcpAck, 5000, 1001});
  for (const uint32_t guess : {5000u, 5001u + 65536, 0u, 0x80000000u}) {
    rig_.client(session, {kTcpAck, 1001, guess});
    EXPECT_EQ(session.state, NatState::kOpening) << guess;
  }
  rig_.client(session, {kTcpAck, 1001, 5001 + 65535});
  EXPECT_EQ(session.state, NatState::kEstablished);
}

TEST_F(NatTrack, TakesTheNumberOfAClientThatBeginsAgain) {
  NatSession& session = open();
  rig_.client(session, {kTcpSyn, 1000, 0});
  rig_.client(session, {kTcpSyn, 2000, 0});
  EXPECT_EQ(session.client_isn, 2000u);
  rig_.backend(session, {kTcpSyn | kTcpAck, 5000, 1001});  // to the first
  EXPECT_FALSE(session.has(kNatBackendSyn));
  rig_.backend(session, {kTcpSyn | kTcpAck, 5000, 2001});
  rig_.client(session, {kTcpSyn, 3000, 0});
  EXPECT_EQ(session.client_isn, 2000u);
}

TEST_F(NatTrack, ClosesAfterBothFins) {
  NatSession& session = established();
  rig_.client(session, {kTcpFin | kTcpAck, 1001, 5001});
  EXPECT_EQ(session.state, NatState::kEstablished);
  rig_.client(session, {kTcpFin | kTcpAck, 1001, 5001});
  EXPECT_EQ(session.state, NatState::kEstablished);
  rig_.backend(session, {kTcpFin | kTcpAck, 5001, 1002});
  EXPECT_EQ(session.state, NatState::kClosing);
  expect_left(session, rig_.timeouts.closing);
  rig_.now += seconds(20);
  rig_.client(session, {kTcpAck, 1002, 5002});
  rig_.backend(session, {kTcpRst, 5002, 0});
  EXPECT_EQ(session.state, NatState::kClosing);
  EXPECT_LE(left(session), rig_.timeouts.closing - seconds(19));
}

TEST_F(NatTrack, ClosesAtAResetThatItsReceiverMayTake) {
  for (const bool from_client : {true, false}) {
    NatSession& session = established();
    rig_.backend(session, {kTcpAck, 5001, 1101});
    rig_.client(session, {kTcpAck, 1101, 5201});
    const auto reset = [&](uint32_t number) {
      from_client ? rig_.client(session, {kTcpRst, number, 0}) : rig_.backend(session, {kTcpRst, number, 0});
    };
    const uint32_t next = from_client ? 1101 : 5201;
    for (const uint32_t wrong : {next - 1, next + (1u << 20), next + 0x80000000u}) {
      reset(wrong);
      EXPECT_EQ(session.state, NatState::kEstablished);
    }
    reset(next + 1000);
    EXPECT_EQ(session.state, NatState::kClosing);
    expect_left(session, rig_.table.quarantine());
    rig_.table.erase(session, rig_.now);
  }
}

TEST_F(NatTrack, ClosesWhenTheBackendRefuses) {
  NatSession& session = open();
  rig_.client(session, {kTcpSyn, 1000, 0});
  rig_.backend(session, {kTcpRst | kTcpAck, 0, 1001});
  EXPECT_EQ(session.state, NatState::kClosing);
  EXPECT_EQ(rig_.table.opening(), 0u);
}

TEST_F(NatTrack, KnowsASynThatOpensTheFlowAgain) {
  NatSession& session = established();
  const TcpFacts syn{kTcpSyn, 7000, 0};
  EXPECT_FALSE(begins_anew(session, syn));
  rig_.client(session, {kTcpRst, 1001, 0});
  EXPECT_FALSE(begins_anew(session, {kTcpAck, 7000, 0}));
  EXPECT_FALSE(begins_anew(session, {kTcpSyn | kTcpAck, 7000, 0}));
  ASSERT_TRUE(begins_anew(session, syn));
  const Be16 port = session.nat_port;
  rig_.table.erase(session, rig_.now);
  EXPECT_NE(open().nat_port, port);
}

TEST_F(NatTrack, EstablishesUdpWhenTheBackendAnswers) {
  NatSession& session = open(Protocol::kUdp);
  rig_.client(session, {});
  rig_.client(session, {});
  EXPECT_EQ(session.state, NatState::kOpening);
  expect_left(session, rig_.timeouts.udp);
  rig_.backend(session, {});
  EXPECT_EQ(session.state, NatState::kEstablished);
  expect_left(session, rig_.timeouts.udp);
}

TEST_F(NatTrack, ExpiresWhatIsIdle) {
  established();
  rig_.now += rig_.timeouts.established - seconds(1);
  EXPECT_NE(rig_.find(NatRig::key(1)), nullptr);
  rig_.now += seconds(2);
  EXPECT_EQ(rig_.find(NatRig::key(1)), nullptr);
  EXPECT_EQ(rig_.table.size(), 0u);
}

NatSession with_header(uint32_t isn) {
  NatSession session;
  session.header_length = 28;
  session.client_isn = isn;
  return session;
}

TEST(NatStream, ShiftsAroundTheHeader) {
  for (const uint32_t isn : {1000u, 0xfffffff0u, 0xffffffffu, 0x7fffffffu}) {
    NatSession session = with_header(isn);
    EXPECT_TRUE(carries_header(session, isn + 1));
    EXPECT_EQ(sequence_to_backend(session, isn + 1), isn + 1);
    EXPECT_FALSE(carries_header(session, isn + 2));
    EXPECT_EQ(sequence_to_backend(session, isn + 2), isn + 30);
    EXPECT_EQ(sequence_to_backend(session, isn), isn);  // a keepalive
    for (const uint32_t inside : {1u, 2u, 28u}) {
      note_acknowledgement(session, isn + inside);
      EXPECT_EQ(acknowledgement_to_client(session, isn + inside), isn + 1);
      EXPECT_TRUE(carries_header(session, isn + 1));
    }
    note_acknowledgement(session, isn + 29);
    EXPECT_EQ(acknowledgement_to_client(session, isn + 29), isn + 1);
    EXPECT_EQ(acknowledgement_to_client(session, isn + 30), isn + 2);
    EXPECT_FALSE(carries_header(session, isn + 1));
    EXPECT_EQ(sequence_to_backend(session, isn + 1), isn + 29);
    // A late one, from before.
    EXPECT_EQ(acknowledgement_to_client(session, isn + 1), isn + 1);
  }
}

TEST(NatStream, ComparesNothingWithTheBeginOnceThatIsFar) {
  NatSession session = with_header(1000);
  note_acknowledgement(session, 1029);
  note_acknowledgement(session, 1001 + (1u << 28));
  // The stream has come round: these are new numbers.
  for (const uint32_t number : {1001u, 1010u, 1028u, 900u}) {
    note_acknowledgement(session, number);
    EXPECT_EQ(acknowledgement_to_client(session, number), number - 28);
    EXPECT_EQ(sequence_to_backend(session, number), number + 28);
    EXPECT_FALSE(carries_header(session, number));
  }
}

TEST(NatStream, IsTheIdentityWithoutAHeader) {
  NatSession session;
  session.client_isn = 1000;
  for (const uint32_t number : {0u, 1000u, 1001u, 1002u, 0x90000000u}) {
    EXPECT_FALSE(carries_header(session, number));
    EXPECT_EQ(sequence_to_backend(session, number), number);
    EXPECT_EQ(acknowledgement_to_client(session, number), number);
    note_acknowledgement(session, number);
  }
}

}  // namespace
}  // namespace maglb
