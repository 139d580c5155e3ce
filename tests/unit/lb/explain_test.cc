// What is explained is what the workers do: the same packets through both, while backends and tables change.
#include "lib/lb/explain.h"

#include <gtest/gtest.h>

#include <random>

#include "lib/lb/question_packet.h"
#include "lib/lb/track.h"
#include "tests/support/lb_rig.h"

namespace maglb::testing {
namespace {

class Explain : public ::testing::Test {
 protected:
  ExplainSources sources(size_t worker = 0) {
    const WorkerContext& context = rig.worker(worker);
    return {rig.snapshot(),   context.tables,        context.next_hops,        context.ports,
            context.flow_key, context.tunnel_source, context.tunnel_source_v6, context.path,
            nullptr};
  }
  Explanation explain(const Bytes& frame) { return explainer.explain(frame, 0, sources(), rig.now); }

  Rig rig{2};
  Explainer explainer{8, 4, Rig::kBackends, SipKey{1, 2}};
};

Frame web(uint16_t port) {
  return Frame().from("192.0.2.1", port).to("198.51.100.1", 80);
}

TEST_F(Explain, SaysServiceSlotBackendAndWay) {
  const Explanation why = explain(web(1000).tcp("S").bytes());
  ASSERT_TRUE(why.is_parsed);
  ASSERT_NE(why.service, nullptr);
  EXPECT_EQ(why.service->counter, 0u);
  EXPECT_FALSE(why.flow);
  EXPECT_EQ(why.table_size, why.pool->slots.size());
  EXPECT_EQ(why.table_place, why.pool->slots[why.slot]);
  EXPECT_EQ(why.packet.verdict, Verdict::kSend);
  EXPECT_EQ(why.packet.place, why.table_place);
  ASSERT_TRUE(why.way);
  EXPECT_EQ(why.way->overhead, 20);
  EXPECT_EQ(why.way->mtu, 1500);
  EXPECT_EQ(why.way->largest, 1480);
  EXPECT_EQ(why.way->link, 1);
}

TEST_F(Explain, ChangesNothingOfTheWorkers) {
  explain(web(1000).tcp("S").bytes());
  explain(web(1000).tcp("A").bytes());
  EXPECT_EQ(rig.table(0).size(), 0u);
  EXPECT_EQ(rig.counters(0).received.value(), 0u);
}

TEST_F(Explain, TheEntryDecidesAndTheTableWouldChooseAnother) {
  const Bytes syn = web(1000).tcp("S").bytes();
  const Bytes data = web(1000).tcp("A").bytes();
  rig.run(syn, 1);
  rig.run(data, 1);
  rig.slots = {1};
  rig.publish();
  const Explanation why = explain(data);
  ASSERT_TRUE(why.flow);
  EXPECT_EQ(why.flow->worker, 1u);
  EXPECT_EQ(why.flow->entry.state, FlowState::kEstablished);
  EXPECT_EQ(why.packet.place, 0);
  EXPECT_EQ(why.table_place, 1);
  ASSERT_TRUE(why.new_flow);
  EXPECT_EQ(why.new_flow->place, 1);
}

TEST_F(Explain, SaysWhyAPacketIsDropped) {
  rig.slots = {kNoBackend};
  rig.publish();
  const Explanation why = explain(web(1000).tcp("S").bytes());
  EXPECT_EQ(why.packet.verdict, Verdict::kDrop);
  EXPECT_EQ(why.packet.reason, DropReason::kNoBackend);
  EXPECT_FALSE(why.packet.place);
}

TEST_F(Explain, SaysThatThereIsNoNextHop) {
  rig.next_hops.clear(0);
  const Explanation why = explain(web(1000).tcp("S").bytes());
  EXPECT_EQ(why.packet.reason, DropReason::kNoNextHop);
  EXPECT_EQ(why.packet.place, 0);
  EXPECT_EQ(why.no_way, DropReason::kNoNextHop);
}

TEST_F(Explain, APacketThatIsTooBigIsAnswered) {
  const Explanation why = explain(web(1000).dont_fragment().tcp("A").payload(1460).bytes());
  EXPECT_EQ(why.packet.reason, DropReason::kTooBig);
  EXPECT_TRUE(why.packet.is_answered);
  ASSERT_TRUE(why.way);
  EXPECT_EQ(why.way->largest, 1480);
}

TEST_F(Explain, WhatNoServiceMatchesIsTheKernels) {
  const Explanation why = explain(Frame().from("192.0.2.1", 1).to("203.0.113.1", 80).tcp("S").bytes());
  EXPECT_TRUE(why.is_parsed);
  EXPECT_EQ(why.service, nullptr);
  EXPECT_EQ(why.packet.verdict, Verdict::kKernel);
  EXPECT_FALSE(why.new_flow);
}

TEST_F(Explain, AnyBytesAreTaken) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 3000; ++i) {
    Bytes bytes = web(static_cast<uint16_t>(i)).tcp("S").bytes();
    bytes.resize(random() % (bytes.size() + 1));
    for (int change = 0; change < 3 && !bytes.empty(); ++change) {
      bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    }
    EXPECT_NE(explain(bytes).packet.verdict, Verdict::kPending);
  }
}

// Either a packet of the flow or its first, from one of many clients, by one of two workers: explained, then
// served; in between now and then backends fail, drain, come back, and tables change.
TEST_F(Explain, AgreesWithTheWorkersOnRandomFlowsDuringChanges) {
  std::mt19937_64 random(7);
  const auto below = [&random](uint64_t n) { return random() % n; };
  constexpr const char* kFlags[] = {"S", "A", "PA", "FA", "R"};
  constexpr PlaceState kStates[] = {PlaceState::kUp, PlaceState::kUp, PlaceState::kDrain,
                                    PlaceState::kUnhealthy};
  int moved = 0;
  int kept = 0;
  for (int i = 0; i < 10000; ++i) {
    if (i % 50 == 0) {
      for (PlaceState& state : rig.states) {
        state = kStates[below(4)];
      }
      rig.slots.assign(7, 0);
      for (uint16_t& slot : rig.slots) {
        slot = static_cast<uint16_t>(below(Rig::kBackends));
      }
      rig.publish();
    }
    rig.now += std::chrono::milliseconds(20);  // entries expire; errors are sent within their budget
    const auto port = static_cast<uint16_t>(1024 + below(300));
    const bool v6 = below(2) == 0;
    Frame frame = v6 ? Frame().from("2001:db8:1::1", port).to("2001:db8:100::1", 80)
                     : Frame().from("192.0.2.1", port).to("198.51.100.1", 80);
    const Bytes bytes = frame.dont_fragment().tcp(kFlags[below(5)]).payload(below(8) == 0 ? 1500 : 8).bytes();
    const Explanation why = explain(bytes);
    // Where the entry is; a card brings a flow to one queue.
    const size_t worker = why.flow ? why.flow->worker : port % 2;
    const Outcome outcome = rig.run(bytes, worker);
    ASSERT_EQ(why.packet.verdict, outcome.verdict) << i;
    if (outcome.verdict == Verdict::kSend && !why.packet.is_answered) {
      ASSERT_EQ(why.packet.frame, outcome.frame) << i;
    }
    kept += why.packet.place && why.packet.place != why.table_place ? 1 : 0;
    moved += why.flow && why.packet.place != why.flow->entry.backend.place ? 1 : 0;
  }
  EXPECT_GT(kept, 500);
  EXPECT_GT(moved, 500);
}

TEST_F(Explain, AQuestionIsAPacketLikeOthers) {
  QuestionPacket question;
  question.key.source = IpAddress::parse("192.0.2.1").value();
  question.key.destination = IpAddress::parse("198.51.100.1").value();
  question.key.source_port = Be16(1000);
  question.key.destination_port = Be16(80);
  question.key.protocol = Protocol::kTcp;
  const auto frame = frame_of(question, rig.ports[0]);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->size(), 14u + 40u);
  ParsedFrame parsed;
  ASSERT_EQ(parse_frame(*frame, parsed), ParseStatus::kPacket);
  EXPECT_EQ(parsed.key, question.key);
  EXPECT_EQ(explain(*frame).packet.verdict, Verdict::kSend);

  question.ip_bytes = 39;
  EXPECT_FALSE(frame_of(question, rig.ports[0]));
  question.ip_bytes = 1400;
  EXPECT_EQ(frame_of(question, rig.ports[0])->size(), 1414u);
  question.key.source = IpAddress::parse("2001:db8::1").value();
  EXPECT_FALSE(frame_of(question, rig.ports[0]));
  question.key.destination = IpAddress::parse("2001:db8:100::1").value();
  question.key.protocol = Protocol::kUdp;
  question.key.destination_port = Be16(53);
  const auto datagram = frame_of(question, rig.ports[0]);
  ASSERT_TRUE(datagram);
  EXPECT_EQ(explain(*datagram).packet.verdict, Verdict::kSend);
}

}  // namespace
}  // namespace maglb::testing
