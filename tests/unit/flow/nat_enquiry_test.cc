#include "lib/flow/nat_enquiry.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/flow/nat_rig.h"

namespace maglb {
namespace {

constexpr Duration kLong = std::chrono::seconds(30);

class NatEnquiryTest : public ::testing::Test {
 protected:
  NatQuestion of_client(const FlowKey& key) const { return {key, false, NatRig::kService, rig.digest(key)}; }
  static NatQuestion of_reply(const NatSession& session) {
    return {{session.backend, session.nat, session.backend_port, session.nat_port, session.protocol},
            true,
            0,
            {}};
  }

  NatRig rig{nat_ports({"10.0.0.9/32", "fd00::9/128"}, {2000, 2007})};
  NatEnquiry enquiry;
};

TEST_F(NatEnquiryTest, FindsASessionFromEitherSide) {
  for (const bool v6 : {false, true}) {
    const FlowKey key = NatRig::key(40000, Protocol::kTcp, v6);
    const NatSession& session = *rig.open(key).session;
    for (const NatQuestion& question : {of_client(key), of_reply(session)}) {
      const auto answer = answer_of(rig.table, question, rig.now);
      ASSERT_TRUE(answer);
      EXPECT_TRUE(answer->is_of(key, NatRig::kService));
      EXPECT_EQ(answer->nat_port, session.nat_port);
    }
  }
}

TEST_F(NatEnquiryTest, KnowsNothingOfOthers) {
  const NatSession& session = *rig.open(NatRig::key(40000)).session;
  EXPECT_FALSE(answer_of(rig.table, of_client(NatRig::key(40001)), rig.now));
  EXPECT_FALSE(answer_of(rig.table, of_client(NatRig::key(40000, Protocol::kUdp)), rig.now));
  NatQuestion other_service = of_client(NatRig::key(40000));
  ++other_service.service_id;
  EXPECT_FALSE(answer_of(rig.table, other_service, rig.now));
  for (auto change : {+[](FlowKey& key) { key.source = address("10.9.0.2"); },
                      +[](FlowKey& key) { key.source_port = Be16(1); },
                      +[](FlowKey& key) { key.destination = address("10.0.0.8"); },
                      +[](FlowKey& key) { key.destination_port = Be16(2008); },
                      +[](FlowKey& key) { key.protocol = Protocol::kUdp; }}) {
    NatQuestion question = of_reply(session);
    change(question.key);
    EXPECT_FALSE(answer_of(rig.table, question, rig.now));
  }
}

TEST_F(NatEnquiryTest, WhatHasExpiredIsNotTold_AndStays) {
  const FlowKey key = NatRig::key(40000);
  const NatSession& session = *rig.open(key).session;
  const NatQuestion questions[] = {of_client(key), of_reply(session)};
  rig.now += rig.timeouts.opening + std::chrono::seconds(2);
  for (const NatQuestion& question : questions) {
    EXPECT_FALSE(answer_of(rig.table, question, rig.now));
  }
  EXPECT_EQ(rig.table.size(), 1u);
}

TEST_F(NatEnquiryTest, AWorkerThatDoesNotAnswerIsGivenUp) {
  const auto answer = enquiry.ask(of_client(NatRig::key(40000)), std::chrono::milliseconds(1));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kUnavailable);
  // Nobody asks any more.
  rig.open(NatRig::key(40000));
  enquiry.answer(rig.table, rig.now);
}

// The worker opens and ends sessions meanwhile, as no asker may see it do.
TEST_F(NatEnquiryTest, AsksAWorkerThatWorks) {
  const FlowKey stays = NatRig::key(1);
  rig.open(stays);
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    for (uint16_t client = 2; !stop; client = client == 100 ? 2 : static_cast<uint16_t>(client + 1)) {
      const FlowKey key = NatRig::key(client, Protocol::kUdp);
      if (NatSession* const session = rig.open(key).session) {
        rig.table.erase(*session, rig.now);
      }
      rig.sweep();
      enquiry.answer(rig.table, rig.now);
    }
  });
  int known = 0;
  for (int i = 0; i < 200; ++i) {
    const auto own = enquiry.ask(of_client(stays), kLong);
    const auto other = enquiry.ask(of_client(NatRig::key(60000)), kLong);
    known += own && *own && (*own)->is_of(stays, NatRig::kService) && other && !*other ? 1 : 0;
  }
  stop = true;
  worker.join();
  EXPECT_EQ(known, 200);
}

TEST_F(NatEnquiryTest, ATableAdoptsASessionUnderItsOwnPort) {
  for (const bool v6 : {false, true}) {
    const FlowKey key = NatRig::key(40000, Protocol::kTcp, v6);
    NatSession& session = *rig.open(key).session;
    if (v6) {
      rig.establish(session);
    }
    const uint16_t port = session.nat_port.host();
    const auto first = static_cast<uint16_t>(port - 1);
    NatRig copy(rig.ports.with_ports({first, port}));
    copy.table.adopt(session, copy.digest(key));
    ASSERT_NE(copy.find(key), nullptr);
    EXPECT_EQ(copy.find_reply(*copy.find(key)), copy.find(key));
    EXPECT_EQ(copy.find(key)->state, session.state);
    // The other port is left; both are free again when they have rested.
    const auto another = copy.open(NatRig::key(40001, Protocol::kTcp, v6));
    ASSERT_NE(another.session, nullptr);
    EXPECT_EQ(another.session->nat_port.host(), v6 ? first : another.session->nat_port.host());
    copy.pass(std::chrono::hours(1));
    copy.pass(std::chrono::hours(1));
    EXPECT_EQ(copy.table.size(), 0u);
    EXPECT_NE(copy.open(key).session, nullptr);
  }
}

}  // namespace
}  // namespace maglb
