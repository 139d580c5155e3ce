// What packets tell of a backend that does not answer, of flows whose replies go by another way, of tunnels
// and of nat.
#include <gtest/gtest.h>

#include "lib/lb/nat.h"
#include "tests/support/lb_rig.h"
#include "tests/support/schedule_rig.h"
#include "tests/unit/net/raw_packets.h"

namespace maglb {
namespace {

using std::chrono::seconds;
using testing::be16;
using testing::be32;
using testing::Bytes;
using testing::Frame;
using testing::join;
using testing::Outcome;
using testing::Rig;
using testing::ScheduleRig;

struct Counts {
  uint64_t refused = 0;
  uint64_t repeated = 0;
  uint64_t lapsed = 0;
  friend bool operator==(const Counts&, const Counts&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Counts& counts) {
    return out << counts.refused << " refused, " << counts.repeated << " repeated, " << counts.lapsed
               << " lapsed";
  }
};

// A pool of two whose services forward by l2. Every timeout is 10 s.
class Signals : public ::testing::Test {
 protected:
  void SetUp() override { set_passive(true); }
  void set_passive(bool passive) {
    rig.spec.passive = passive;
    rig.publish();
  }
  Counts of(const std::string& name) const {
    return {rig.signals(name, Signal::kRefused), rig.signals(name, Signal::kRepeated),
            rig.signals(name, Signal::kLapsed)};
  }
  Counts all() const {
    const Counts a = of("b0");
    const Counts b = of("b1");
    return {a.refused + b.refused, a.repeated + b.repeated, a.lapsed + b.lapsed};
  }
  void pass(Duration time) {
    rig.now += time;
    rig.sweep();
  }
  void send(uint32_t client, const std::string& flags) {
    EXPECT_TRUE(rig.send(ScheduleRig::packet(client, 40000, flags)));
  }

  ScheduleRig rig{Scheduler::kMaglev, {100, 100}};
};

TEST_F(Signals, AFlowLapsesOfWhichNothingButItsSynIsSeen) {
  uint64_t silent[2] = {};
  for (uint32_t client = 0; client < 200; ++client) {
    const size_t backend = rig.open(client).value();
    if (client % 3 == 0) {
      send(client, "A");
    } else {
      ++silent[backend];
    }
  }
  pass(seconds(9));
  EXPECT_EQ(all(), Counts{});
  pass(seconds(2));
  EXPECT_EQ(of("b0"), (Counts{0, 0, silent[0]}));
  EXPECT_EQ(of("b1"), (Counts{0, 0, silent[1]}));
  EXPECT_EQ(silent[0] + silent[1], 133u);
  pass(seconds(20));
  EXPECT_EQ(all().lapsed, 133u) << "what was established has not lapsed";
}

TEST_F(Signals, AResetOfTheClientsIsAnAnswerToTheBackends) {
  rig.open(1);
  send(1, "R");
  pass(seconds(11));
  EXPECT_EQ(all(), Counts{});
}

TEST_F(Signals, ASynOnceMoreIsRepeated) {
  const size_t backend = rig.open(1).value();
  const std::string name = rig.spec.backends[backend].name;
  for (int i = 1; i <= 3; ++i) {
    rig.now += seconds(3);
    EXPECT_EQ(rig.open(1), backend);
    EXPECT_EQ(of(name), (Counts{0, static_cast<uint64_t>(i), 0}));
  }
  send(1, "A");
  EXPECT_EQ(all(), (Counts{0, 3, 0}));
  // A SYN of an established flow opens another one.
  send(1, "S");
  EXPECT_EQ(all(), (Counts{0, 3, 0}));
  send(1, "S");
  EXPECT_EQ(all(), (Counts{0, 4, 0}));
}

TEST_F(Signals, AFlowLapsesBeforeTheSweepWhereItsClientTriesAgain) {
  rig.open(1);
  rig.now += seconds(11);
  rig.open(1);
  EXPECT_EQ(all(), (Counts{0, 0, 1}));
  pass(seconds(11));
  EXPECT_EQ(all(), (Counts{0, 0, 2}));
}

// Each of these is an entry that is opening, and expires so.
TEST_F(Signals, OnePacketIsAllThereIsOfManyAFlowThatNoSynBegan) {
  for (uint32_t client = 0; client < 50; ++client) {
    send(client, "U");
    send(client + 100, "A");   // a keepalive
    send(client + 200, "FA");  // late
  }
  EXPECT_EQ(rig.table().opening(), 150u);
  pass(seconds(11));
  EXPECT_EQ(rig.table().size(), 0u);
  EXPECT_EQ(all(), Counts{});
}

TEST_F(Signals, AFlowThatMovesLapsesWhereItIs) {
  const size_t first = rig.open(1).value();
  rig.spec.backends[first].state = BackendState::kUnhealthy;
  rig.publish();
  const size_t second = rig.open(1).value();
  ASSERT_NE(second, first);
  EXPECT_EQ(all(), Counts{});
  pass(seconds(11));
  EXPECT_EQ(of(rig.spec.backends[first].name), Counts{});
  EXPECT_EQ(of(rig.spec.backends[second].name), (Counts{0, 0, 1}));
}

TEST_F(Signals, FlowsThatGiveWayDoNotLapse) {
  for (uint32_t client = 0; client < 100'000; ++client) {
    rig.open(client);
  }
  const size_t opening = rig.table().opening();
  ASSERT_LT(opening, 100'000u);
  pass(seconds(11));
  EXPECT_EQ(all(), (Counts{0, 0, opening}));
}

TEST_F(Signals, NothingIsCountedOfAPoolThatDoesNotWantIt) {
  set_passive(false);
  for (uint32_t client = 0; client < 100; ++client) {
    rig.open(client);
    rig.open(client);
  }
  pass(seconds(11));
  EXPECT_EQ(all(), Counts{});
  set_passive(true);
  rig.open(1);
  pass(seconds(11));
  EXPECT_EQ(all(), (Counts{0, 0, 1}));
  set_passive(false);
  EXPECT_EQ(all(), (Counts{0, 0, 1})) << "what was counted stays";
}

TEST(SignalsOfTwoWorkers, AreOfTheOneWhoseEntryItIs) {
  ScheduleRig rig(Scheduler::kMaglev, {100}, 2);
  rig.spec.passive = true;
  rig.publish();
  rig.open(1, 0);
  rig.open(2, 1);
  rig.open(2, 1);
  rig.now += seconds(11);
  rig.sweep();
  EXPECT_EQ(rig.signals("b0", Signal::kLapsed), 2u);
  EXPECT_EQ(rig.signals("b0", Signal::kRepeated), 1u);
}

// One worker with what it counts by, and a pool of which backend 0 gets everything.
class RigSignals : public ::testing::Test {
 protected:
  void count() {
    rig.worker().scheduling = &scheduling;
    rig.table().count_in(&scheduling.flows);
  }
  Counts counts() const {
    const BackendSignals& signals = scheduling.flows.signals();
    return {signals.value(0, Signal::kRefused), signals.value(0, Signal::kRepeated),
            signals.value(0, Signal::kLapsed)};
  }
  // ICMP to our address, about a packet that we sent.
  static Bytes error(uint8_t type, uint8_t code, const Bytes& sent, size_t quoted) {
    const bool is_v6 = sent[14] >> 4 == 6;
    const Bytes packet(sent.begin() + 14, sent.begin() + 14 + static_cast<std::ptrdiff_t>(quoted));
    const size_t source = is_v6 ? 8 : 12;
    const Bytes to(packet.begin() + static_cast<std::ptrdiff_t>(source),
                   packet.begin() + static_cast<std::ptrdiff_t>(source + (is_v6 ? 16 : 4)));
    Bytes icmp = testing::icmp(type, code, 0, packet);
    if (is_v6) {
      const Bytes router = {0x20, 1, 0xd, 0xb8, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
      return testing::frame_of(0x86dd,
                               join({{0x60, 0, 0, 0}, be16(icmp.size()), {58, 60}, router, to, icmp}));
    }
    testing::write16(icmp, 2, testing::checksum_of(icmp.data(), icmp.size()));
    Bytes ip = join({{0x45, 0}, be16(20 + icmp.size()), be32(0), {60, 1, 0, 0}, {9, 9, 9, 9}, to, icmp});
    testing::seal_v4(ip, 0);
    return testing::frame_of(0x0800, ip);
  }

  Rig rig;
  Scheduling scheduling{0, 1, SipKey{1, 2}, 4, Rig::kBackends, std::pmr::get_default_resource()};
};

class TunnelSignals : public RigSignals, public ::testing::WithParamInterface<std::tuple<ForwardMode, bool>> {
 protected:
  void SetUp() override {
    count();
    const bool is_v6 = std::get<1>(GetParam());
    rig.tcp_mode = rig.udp_mode = std::get<0>(GetParam());
    rig.addresses[0] = IpAddress::parse(is_v6 ? "2001:db8:1::11" : "10.0.1.11").value();
    rig.is_passive = true;
    rig.publish();
    unreachable = is_v6 ? 1 : 3;
    port = is_v6 ? 4 : 3;
  }
  Bytes from_client(const std::string& flags) {
    const Frame frame = Frame().from("192.0.2.1", 40000);
    const Bytes in = flags == "U" ? Frame(frame).to("198.51.100.1", 53).udp().bytes()
                                  : Frame(frame).to("198.51.100.1", 80).tcp(flags).bytes();
    const Outcome out = rig.run(in);
    EXPECT_EQ(out.verdict, Verdict::kSend);
    return out.frame;
  }
  uint64_t refused_after(const Bytes& frame) {
    EXPECT_EQ(rig.run(frame).verdict, Verdict::kDrop);
    return counts().refused;
  }

  uint8_t unreachable = 0;
  uint8_t port = 0;
};

TEST_P(TunnelSignals, AnErrorAboutAFlowThatIsOpeningIsARefusal) {
  const Bytes syn = from_client("S");
  const size_t whole = syn.size() - 14;
  EXPECT_EQ(refused_after(error(unreachable, port, syn, whole)), 1u);
  EXPECT_EQ(refused_after(error(unreachable, 1, syn, whole)), 2u);
  from_client("A");
  EXPECT_EQ(refused_after(error(unreachable, port, syn, whole)), 2u) << "established";
  const Bytes datagram = from_client("U");
  EXPECT_EQ(refused_after(error(unreachable, port, datagram, datagram.size() - 14)), 3u);
  EXPECT_TRUE(rig.counters_add_up());
}

TEST_P(TunnelSignals, OtherErrorsAreNone) {
  const Bytes syn = from_client("S");
  const size_t whole = syn.size() - 14;
  const bool is_v6 = std::get<1>(GetParam());
  refused_after(error(is_v6 ? 3 : 11, 0, syn, whole));                 // time exceeded
  refused_after(error(is_v6 ? 2 : 3, is_v6 ? 0 : 4, syn, whole));      // too big
  refused_after(error(unreachable, port, syn, is_v6 ? 40 + 20 : 28));  // no ports of the client's packet
  rig.addresses[0] = IpAddress::parse(is_v6 ? "2001:db8:1::99" : "10.0.1.99").value();
  rig.publish();
  refused_after(error(unreachable, port, syn, whole));  // of whom the flow does not go to
  EXPECT_EQ(counts(), Counts{});
}

TEST_P(TunnelSignals, NoneIsCountedOfAPoolThatDoesNotWantIt) {
  rig.is_passive = false;
  rig.publish();
  const Bytes syn = from_client("S");
  EXPECT_EQ(refused_after(error(unreachable, port, syn, syn.size() - 14)), 0u);
}

INSTANTIATE_TEST_SUITE_P(Modes, TunnelSignals,
                         ::testing::Combine(::testing::Values(ForwardMode::kIpip, ForwardMode::kGre),
                                            ::testing::Bool()));

class NatSignals : public RigSignals {
 protected:
  static constexpr uint16_t kTcpPort = 8000;
  static constexpr uint16_t kUdpPort = 8053;

  void SetUp() override {
    count();
    table.count_in(&scheduling.flows);
    rig.worker().nat = &table;
    rig.more.push_back(rig.service(3, vip, Protocol::kTcp, kTcpPort, ForwardMode::kNat));
    rig.more.push_back(rig.service(4, vip, Protocol::kUdp, kUdpPort, ForwardMode::kNat));
    rig.is_passive = true;
    rig.publish();
  }
  // As it goes to the backend.
  Bytes from_client(const std::string& flags, uint16_t port = 40000) {
    const Frame frame = Frame().from("192.0.2.1", port);
    const Outcome out = rig.run(flags == "U" ? Frame(frame).to("198.51.100.1", kUdpPort).udp().bytes()
                                             : Frame(frame).to("198.51.100.1", kTcpPort).tcp(flags).bytes());
    EXPECT_EQ(out.verdict, Verdict::kSend);
    return out.frame;
  }
  // To the address and port that `sent` came from, with a number and what it acknowledges.
  void from_backend(const Bytes& sent, const std::string& flags, uint32_t number, uint32_t acknowledged) {
    Bytes frame = Frame()
                      .from("10.0.1.11", testing::read16(sent, 36))
                      .to("10.0.0.9", testing::read16(sent, 34))
                      .tcp(flags)
                      .bytes();
    for (size_t i = 0; i < 2; ++i) {
      testing::write16(frame, 38 + 2 * i, (number >> (16 - 16 * i)) & 0xffff);
      testing::write16(frame, 42 + 2 * i, (acknowledged >> (16 - 16 * i)) & 0xffff);
    }
    EXPECT_EQ(rig.run(frame).verdict, Verdict::kSend);
  }
  uint32_t number_of(const Bytes& tcp) const {
    return uint32_t{testing::read16(tcp, 38)} << 16 | testing::read16(tcp, 40);
  }
  void pass(Duration time) {
    rig.now += time;
    sweep_nat(rig.worker(), table.capacity(), rig.snapshot(), rig.now);
  }

  const IpPrefix vip{testing::address(198, 51, 100, 1)};
  const std::array<IpPrefix, 1> own{IpPrefix(testing::address(10, 0, 0, 9))};
  const NatPorts ports{NatPorts::make(own, {1024, 65535}, 1).value()};
  NatTable table{ports, 0, nat_port_key({1, 2}), NatTable::kDefaultQuarantine,
                 std::pmr::get_default_resource()};
};

TEST_F(NatSignals, ABackendsResetIsARefusalOnce) {
  const Bytes syn = from_client("S");
  from_backend(syn, "RA", 0, number_of(syn) + 1);
  EXPECT_EQ(counts(), (Counts{1, 0, 0}));
  pass(seconds(11));
  EXPECT_EQ(counts(), (Counts{1, 0, 0})) << "it has not lapsed";
  const Bytes again = from_client("S");
  from_backend(again, "RA", 0, number_of(again) + 1);
  EXPECT_EQ(counts(), (Counts{2, 0, 0}));
}

TEST_F(NatSignals, WhatIsAnsweredIsNoSignal) {
  const Bytes syn = from_client("S");
  from_backend(syn, "SA", 5000, number_of(syn) + 1);
  pass(seconds(11));
  EXPECT_EQ(counts(), Counts{}) << "it went no further: the client's doing";
  const Bytes other = from_client("S", 40001);
  from_backend(other, "SA", 5000, number_of(other) + 1);
  Bytes frame = Frame().from("192.0.2.1", 40001).to("198.51.100.1", kTcpPort).tcp("A").bytes();
  const uint32_t next = number_of(other) + 1;
  testing::write16(frame, 38, next >> 16);
  testing::write16(frame, 40, next & 0xffff);
  testing::write16(frame, 44, 5001);
  ASSERT_EQ(rig.run(frame).verdict, Verdict::kSend);
  from_backend(other, "R", 5001, 0);
  pass(seconds(1000));
  EXPECT_EQ(counts(), Counts{}) << "established";
}

TEST_F(NatSignals, SynsAreRepeatedAndLapse) {
  for (int i = 0; i < 3; ++i) {
    from_client("S");
  }
  EXPECT_EQ(counts(), (Counts{0, 2, 0}));
  from_client("U");
  pass(seconds(11));
  EXPECT_EQ(counts(), (Counts{0, 2, 1})) << "a datagram is all there is of many a flow";
}

TEST_F(NatSignals, AnErrorAboutASessionThatIsOpeningIsARefusalOnce) {
  for (const char* kind : {"S", "U"}) {
    const uint64_t before = counts().refused;
    const Bytes sent = from_client(kind);
    const Bytes frame = error(3, 3, sent, 28);
    EXPECT_EQ(rig.run(frame).verdict, Verdict::kSend) << "the client is told";
    EXPECT_EQ(rig.run(frame).verdict, Verdict::kSend);
    EXPECT_EQ(counts().refused, before + 1) << kind;
    Bytes broken = frame;
    broken.back() ^= 1;
    rig.run(broken);
    EXPECT_EQ(counts().refused, before + 1);
  }
  pass(seconds(11));
  EXPECT_EQ(counts(), (Counts{2, 0, 0}));
}

TEST_F(NatSignals, NothingIsCountedOfAPoolThatDoesNotWantIt) {
  rig.is_passive = false;
  rig.publish();
  const Bytes syn = from_client("S");
  from_client("S");
  from_backend(syn, "RA", 0, number_of(syn) + 1);
  from_client("S", 40001);
  pass(seconds(11));
  EXPECT_EQ(counts(), Counts{});
}

}  // namespace
}  // namespace maglb
