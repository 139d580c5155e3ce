// What is explained of nat flows is what their worker does with them, in either direction.
#include <gtest/gtest.h>

#include <random>

#include "lib/lb/explain.h"
#include "lib/lb/nat.h"
#include "tests/support/lb_rig.h"

namespace maglb::testing {
namespace {

constexpr const char* kNat = "10.0.0.9";
constexpr const char* kVip = "198.51.100.1";
constexpr uint16_t kPort = 8000;
constexpr uint16_t kUdpPort = 8053;
constexpr size_t kWorkers = 2;

class ExplainNat : public ::testing::Test {
 protected:
  ExplainNat() {
    for (uint32_t i = 0; i < kWorkers; ++i) {
      tables.push_back(std::make_unique<NatTable>(
          ports, i, nat_port_key({1, 2}), NatTable::kDefaultQuarantine, std::pmr::get_default_resource()));
      WorkerContext& worker = rig.worker(i);
      worker.nat = tables.back().get();
      worker.number = i;
      worker.workers = kWorkers;
    }
    rig.slots = {0};
    publish();
  }
  void publish() {
    rig.more = {rig.service(3, IpAddress::parse(kVip).value(), Protocol::kTcp, kPort, ForwardMode::kNat),
                rig.service(4, IpAddress::parse(kVip).value(), Protocol::kUdp, kUdpPort, ForwardMode::kNat)};
    rig.publish();
  }

  ExplainSources sources() {
    const WorkerContext& context = rig.worker();
    return {rig.snapshot(),
            context.tables,
            context.next_hops,
            context.ports,
            context.flow_key,
            context.tunnel_source,
            context.tunnel_source_v6,
            context.path,
            &ports,
            {},
            [this](uint32_t worker, const NatQuestion& question) -> Result<NatAnswer> {
              if (is_silent) {
                return fail(ErrorKind::kUnavailable, "silent");
              }
              return answer_of(*tables.at(worker), question, rig.now);
            }};
  }
  Explanation explain(const Bytes& frame) { return explainer.explain(frame, 0, sources(), rig.now); }

  // As it comes in by the first worker's queue, and is handed over to its own.
  Outcome run(const Bytes& frame) {
    const Outcome first = rig.run(frame);
    return first.verdict == Verdict::kHandOver ? rig.run(frame, first.target, 128, 0, true) : first;
  }

  static Frame from_client(uint16_t port, uint16_t service = kPort) {
    return Frame().from("192.0.2.1", port).to(kVip, service);
  }
  // The session of a client's port, from whichever worker.
  const NatSession* session(uint16_t port, uint16_t service = kPort) {
    for (uint32_t id : {4u, 5u}) {
      const FlowKey key{address(192, 0, 2, 1), IpAddress::parse(kVip).value(), Be16(port), Be16(service),
                        service == kPort ? Protocol::kTcp : Protocol::kUdp};
      for (const auto& table : tables) {
        const auto* const found =
            table->look(key, id, rig.worker().flow_hash.digest(key, id), Tick::at(rig.now));
        if (found != nullptr) {
          return found;
        }
      }
    }
    return nullptr;
  }
  static Frame from_backend(const NatSession& session) {
    return Frame()
        .from(session.backend.to_string(), session.backend_port.host())
        .to(kNat, session.nat_port.host());
  }

  Rig rig{kWorkers};
  NatPorts ports =
      NatPorts::make(std::array{IpPrefix(IpAddress::parse(kNat).value())}, {1024, 65535}, kWorkers).value();
  std::vector<std::unique_ptr<NatTable>> tables;
  bool is_silent = false;
  Explainer explainer{8, 4, Rig::kBackends, SipKey{1, 2}};
};

TEST_F(ExplainNat, AConnectionIsOnItsSessionsBackendWhateverTheTableSays) {
  run(from_client(40000).tcp("S").bytes());
  ASSERT_NE(session(40000), nullptr);
  rig.slots = {1};
  publish();
  const Explanation why = explain(from_client(40000).tcp("A").bytes());
  ASSERT_TRUE(why.session);
  EXPECT_FALSE(why.session->is_reply);
  EXPECT_EQ(why.session->known.nat_port, session(40000)->nat_port);
  EXPECT_EQ(why.packet.verdict, Verdict::kSend);
  EXPECT_EQ(why.packet.place, 0);
  EXPECT_EQ(why.table_place, 1);
  ASSERT_TRUE(why.new_flow);
  EXPECT_EQ(why.new_flow->place, 1);
  EXPECT_EQ(why.packet.frame, run(from_client(40000).tcp("A").bytes()).frame);
}

TEST_F(ExplainNat, WithoutASessionItsPacketsAreDropped) {
  const Explanation why = explain(from_client(40000).tcp("A").bytes());
  EXPECT_FALSE(why.session);
  EXPECT_EQ(why.packet.reason, DropReason::kNoSession);
  ASSERT_TRUE(why.new_flow);
  EXPECT_EQ(why.new_flow->verdict, Verdict::kSend);
}

TEST_F(ExplainNat, AReplyGoesToTheClientOfItsSession) {
  run(from_client(40000).tcp("S").bytes());
  const Bytes reply = from_backend(*session(40000)).tcp("SA").bytes();
  const Explanation why = explain(reply);
  ASSERT_TRUE(why.session);
  EXPECT_TRUE(why.session->is_reply);
  ASSERT_NE(why.service, nullptr);
  EXPECT_EQ(why.service->counter, 3u);
  EXPECT_EQ(why.table_size, 0u);
  EXPECT_FALSE(why.new_flow);
  ASSERT_TRUE(why.way);
  EXPECT_EQ(why.way->next_hop, session(40000)->client_mac);
  EXPECT_EQ(why.packet.verdict, Verdict::kSend);
  EXPECT_EQ(why.packet.frame, run(reply).frame);
}

TEST_F(ExplainNat, AReplyThatNobodyWaitsForIsDropped) {
  run(from_client(40000).tcp("S").bytes());
  const NatSession& known = *session(40000);
  const Bytes stray =
      Frame().from(known.backend.to_string(), 81).to(kNat, known.nat_port.host()).tcp("SA").bytes();
  const Explanation why = explain(stray);
  EXPECT_FALSE(why.session);
  EXPECT_EQ(why.service, nullptr);
  EXPECT_EQ(why.packet.reason, DropReason::kNoSession);
  EXPECT_EQ(run(stray).verdict, Verdict::kDrop);
}

TEST_F(ExplainNat, ASessionWhoseBackendIsGoneMoves) {
  run(from_client(40000, kUdpPort).udp().bytes());
  rig.states[0] = PlaceState::kUnhealthy;
  rig.slots = {2};
  publish();
  const Explanation why = explain(from_client(40000, kUdpPort).udp().bytes());
  ASSERT_TRUE(why.session);
  EXPECT_EQ(why.session->known.backend_id.place, 0);
  EXPECT_EQ(why.packet.place, 2);
}

TEST_F(ExplainNat, ASilentWorkerIsSaidToBeSilent) {
  run(from_client(40000).tcp("S").bytes());
  is_silent = true;
  const Explanation why = explain(from_client(40000).tcp("A").bytes());
  EXPECT_FALSE(why.session);
  EXPECT_TRUE(why.silent_worker);
}

TEST_F(ExplainNat, WithoutAPortForItNothingOpens) {
  for (auto& table : tables) {
    table.reset();
  }
  ports =
      NatPorts::make(std::array{IpPrefix(IpAddress::parse(kNat).value())}, {2000, 2003}, kWorkers).value();
  for (uint32_t i = 0; i < kWorkers; ++i) {
    tables[i] = std::make_unique<NatTable>(ports, i, nat_port_key({1, 2}), NatTable::kDefaultQuarantine,
                                           std::pmr::get_default_resource());
    rig.worker(i).nat = tables[i].get();
  }
  int refused = 0;
  for (uint16_t port = 40000; port < 40020; ++port) {
    const Bytes datagram = from_client(port, kUdpPort).udp().bytes();
    const Explanation why = explain(datagram);
    const Outcome done = run(datagram);
    ASSERT_EQ(why.packet.verdict, done.verdict) << port;
    ASSERT_EQ(why.new_flow->verdict, done.verdict) << port;
    if (done.verdict == Verdict::kDrop) {
      EXPECT_EQ(why.packet.reason, DropReason::kNoNatPort);
      ++refused;
    } else {
      run(from_backend(*session(port, kUdpPort)).udp().bytes());  // answered: it gives way to nobody
    }
  }
  EXPECT_EQ(refused, 16);
}

TEST_F(ExplainNat, ADatagramWithoutAnAnswerIsIdleForAsLongAsItIs) {
  run(from_client(40000, kUdpPort).udp().bytes());
  rig.now += std::chrono::seconds(30);
  const Explanation why = explain(from_client(40000, kUdpPort).udp().bytes());
  ASSERT_TRUE(why.session);
  EXPECT_GE(why.session->idle, std::chrono::seconds(29));
  EXPECT_LE(why.session->idle, std::chrono::seconds(31));
}

TEST_F(ExplainNat, NothingOfTheWorkersChanges) {
  run(from_client(40000).tcp("S").bytes());
  const NatSession before = *session(40000);
  explain(from_client(40000).tcp("R").bytes());
  explain(from_backend(before).tcp("R").bytes());
  explain(from_client(40001).tcp("S").bytes());
  EXPECT_EQ(session(40000)->state, before.state);
  EXPECT_EQ(session(40000)->expires, before.expires);
  EXPECT_EQ(tables[0]->size() + tables[1]->size(), 1u);
}

// Of many clients, in both directions, while backends fail and come back: explained, then served.
TEST_F(ExplainNat, AgreesWithTheWorkersDuringChanges) {
  std::mt19937_64 random(11);
  const auto below = [&random](uint64_t n) { return random() % n; };
  constexpr const char* kFlags[] = {"S", "A", "PA", "FA", "R"};
  constexpr PlaceState kStates[] = {PlaceState::kUp, PlaceState::kUp, PlaceState::kDrain,
                                    PlaceState::kUnhealthy};
  int replies = 0;
  int known = 0;
  for (int i = 0; i < 5000; ++i) {
    if (i % 50 == 0) {
      for (PlaceState& state : rig.states) {
        state = kStates[below(4)];
      }
      rig.slots = {static_cast<uint16_t>(below(Rig::kBackends))};
      publish();
    }
    rig.now += std::chrono::milliseconds(20);
    const bool is_udp = below(3) == 0;
    const auto port = static_cast<uint16_t>(40000 + below(40));
    const NatSession* const known_session = session(port, is_udp ? kUdpPort : kPort);
    Frame frame = known_session != nullptr && below(2) == 0 ? from_backend(*known_session)
                                                            : from_client(port, is_udp ? kUdpPort : kPort);
    is_udp ? frame.udp() : frame.tcp(kFlags[below(5)]);
    const Bytes bytes = frame.bytes();
    const Explanation why = explain(bytes);
    const Outcome done = run(bytes);
    ASSERT_EQ(why.packet.verdict, done.verdict) << i;
    // One that begins anew or has moved goes from another port, which chance chooses.
    const NatSession* const after = session(port, is_udp ? kUdpPort : kPort);
    if (why.session && after != nullptr && after->nat_port == why.session->known.nat_port) {
      ASSERT_EQ(why.packet.frame, done.frame) << i;
    }
    known += why.session ? 1 : 0;
    replies += why.session && why.session->is_reply ? 1 : 0;
  }
  EXPECT_GT(known, 500);
  EXPECT_GT(replies, 200);
}

}  // namespace
}  // namespace maglb::testing
