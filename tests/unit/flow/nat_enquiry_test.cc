#include "lib/flow/nat_enquiry.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

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
      const auto answer = answer_of(rig.table, question, rig.now).session;
      ASSERT_TRUE(answer);
      EXPECT_TRUE(answer->is_of(key, NatRig::kService));
      EXPECT_EQ(answer->nat_port, session.nat_port);
    }
  }
}

TEST_F(NatEnquiryTest, KnowsNothingOfOthers) {
  const NatSession& session = *rig.open(NatRig::key(40000)).session;
  EXPECT_FALSE(answer_of(rig.table, of_client(NatRig::key(40001)), rig.now).session);
  EXPECT_FALSE(answer_of(rig.table, of_client(NatRig::key(40000, Protocol::kUdp)), rig.now).session);
  NatQuestion other_service = of_client(NatRig::key(40000));
  ++other_service.service_id;
  EXPECT_FALSE(answer_of(rig.table, other_service, rig.now).session);
  for (auto change : {+[](FlowKey& key) { key.source = address("10.9.0.2"); },
                      +[](FlowKey& key) { key.source_port = Be16(1); },
                      +[](FlowKey& key) { key.destination = address("10.0.0.8"); },
                      +[](FlowKey& key) { key.destination_port = Be16(2008); },
                      +[](FlowKey& key) { key.protocol = Protocol::kUdp; }}) {
    NatQuestion question = of_reply(session);
    change(question.key);
    EXPECT_FALSE(answer_of(rig.table, question, rig.now).session);
  }
}

TEST_F(NatEnquiryTest, WhatHasExpiredIsNotTold_AndStays) {
  const FlowKey key = NatRig::key(40000);
  const NatSession& session = *rig.open(key).session;
  const NatQuestion questions[] = {of_client(key), of_reply(session)};
  rig.now += rig.timeouts.opening + std::chrono::seconds(2);
  for (const NatQuestion& question : questions) {
    EXPECT_FALSE(answer_of(rig.table, question, rig.now).session);
  }
  EXPECT_EQ(rig.table.size(), 1u);
}

TEST_F(NatEnquiryTest, SaysWhetherAPortIsLeft) {
  for (uint16_t client = 1; client <= 8; ++client) {
    EXPECT_TRUE(answer_of(rig.table, of_client(NatRig::key(999)), rig.now).has_port);
    const auto opened = rig.open(NatRig::key(client));
    ASSERT_NE(opened.session, nullptr);
    rig.establish(*opened.session);
  }
  EXPECT_FALSE(answer_of(rig.table, of_client(NatRig::key(999)), rig.now).has_port);
  EXPECT_TRUE(answer_of(rig.table, of_client(NatRig::key(999, Protocol::kUdp)), rig.now).has_port);
  EXPECT_TRUE(answer_of(rig.table, of_client(NatRig::key(999, Protocol::kTcp, true)), rig.now).has_port);
}

TEST_F(NatEnquiryTest, AWorkerThatDoesNotAnswerIsGivenUpForAWhile) {
  constexpr Duration kShort = std::chrono::milliseconds(1);
  int woken = 0;
  const auto wake = [&woken] { ++woken; };
  const auto answer = enquiry.ask(of_client(NatRig::key(40000)), kShort, wake);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kUnavailable);
  const Time before = monotonic_now();
  EXPECT_FALSE(enquiry.ask(of_client(NatRig::key(40000)), kLong, wake));
  EXPECT_LT(monotonic_now() - before, kLong) << "it is not waited for again";
  EXPECT_EQ(woken, 1);
}

// The worker opens and ends sessions meanwhile, as no asker may see it do. Some give up before it comes to
// answer: what the next one hears is still the answer to his own question.
TEST_F(NatEnquiryTest, AsksAWorkerThatWorks) {
  rig.open(NatRig::key(1));
  std::atomic<bool> stop{false};
  std::vector<std::unique_ptr<NatEnquiry>> enquiries;
  for (int i = 0; i < 400; ++i) {
    enquiries.push_back(std::make_unique<NatEnquiry>());
  }
  std::thread worker([&] {
    for (uint16_t client = 2; !stop; client = client == 100 ? 2 : static_cast<uint16_t>(client + 1)) {
      const FlowKey key = NatRig::key(client, Protocol::kUdp);
      if (NatSession* const session = rig.open(key).session) {
        rig.table.erase(*session, rig.now);
      }
      rig.sweep();
      for (const auto& one : enquiries) {
        one->answer(rig.table, rig.now);
      }
    }
  });
  int answered = 0;
  for (size_t i = 0; i < enquiries.size(); ++i) {
    const uint16_t client = i % 2 == 0 ? 1 : 60000;
    const Duration patience = i % 4 < 2 ? kLong : Duration(std::chrono::microseconds(20));
    const auto answer = enquiries[i]->ask(of_client(NatRig::key(client)), patience, [] {});
    answered += answer ? 1 : 0;
    if (answer) {
      EXPECT_EQ(answer->session.has_value(), client == 1) << i;
    }
  }
  stop = true;
  worker.join();
  EXPECT_GE(answered, 200) << "all who were patient";
}

TEST_F(NatEnquiryTest, ATableAdoptsASessionUnderItsOwnPort) {
  for (const bool v6 : {false, true}) {
    const FlowKey key = NatRig::key(40000, Protocol::kTcp, v6);
    NatSession& session = *rig.open(key).session;
    rig.establish(session);
    const uint16_t port = session.nat_port.host();
    const auto first = static_cast<uint16_t>(port - 1);
    NatRig copy(rig.ports.with_ports({first, port}));
    copy.table.adopt(session, copy.digest(key));
    ASSERT_NE(copy.find(key), nullptr);
    EXPECT_EQ(copy.find_reply(*copy.find(key)), copy.find(key));
    EXPECT_EQ(copy.find(key)->state, NatState::kEstablished);
    EXPECT_EQ(copy.table.size(Protocol::kTcp, !v6), 1u);
    // The other port is left; both are free again when they have rested.
    const auto another = copy.open(NatRig::key(40001, Protocol::kTcp, v6));
    ASSERT_NE(another.session, nullptr);
    EXPECT_EQ(another.session->nat_port.host(), first);
    copy.pass(std::chrono::hours(1));
    copy.pass(std::chrono::hours(1));
    EXPECT_EQ(copy.table.size(), 0u);
    EXPECT_NE(copy.open(key).session, nullptr);
  }
}

}  // namespace
}  // namespace maglb
