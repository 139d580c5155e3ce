// The path of nat services, both ways, of both families. That every checksum is right is tested with scapy
// (tests/golden/test_nat.py) and part by part (nat_translate_test.cc).
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <optional>

#include "lib/lb/nat.h"
#include "lib/lb/schedule.h"
#include "tests/support/lb_rig.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::Frame;
using testing::Outcome;
using testing::read16;
using testing::Rig;
using testing::write16;

constexpr uint8_t kClientMac[6] = {2, 0, 0, 0, 0, 0xcc};

struct End {
  std::string address;
  uint16_t port = 0;
  friend bool operator==(const End&, const End&) = default;
};

// A frame as it left.
struct Seen {
  explicit Seen(const Bytes& frame) : bytes(frame) {
    for (at = 12; read16(frame, at) == 0x8100 || read16(frame, at) == 0x88a8; at += 4) {
    }
    is_v6 = read16(frame, at) == 0x86dd;
    at += 2;
    const size_t size = is_v6 ? 16 : 4;
    const size_t addresses = at + (is_v6 ? 8 : 12);
    l4 = at + (is_v6 ? 40 : 20);
    source = {text(addresses), read16(frame, l4)};
    destination = {text(addresses + size), read16(frame, l4 + 2)};
    ttl = frame.at(at + (is_v6 ? 7 : 8));
  }
  std::string text(size_t where) const {
    char out[INET6_ADDRSTRLEN];
    inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes.data() + where, out, sizeof out);
    return out;
  }
  uint32_t word(size_t where) const {
    return uint32_t{read16(bytes, l4 + where)} << 16 | read16(bytes, l4 + where + 2);
  }

  Bytes bytes;
  bool is_v6 = false;
  size_t at = 0;
  size_t l4 = 0;
  End source;
  End destination;
  uint8_t ttl = 0;
};

// Sets sequence and acknowledgement of a TCP frame of the builder's.
Bytes numbered(Bytes frame, uint32_t sequence, uint32_t acknowledgement) {
  const size_t tcp = read16(frame, 12) == 0x86dd ? 54 : 34;
  write16(frame, tcp + 4, sequence >> 16);
  write16(frame, tcp + 6, sequence & 0xffff);
  write16(frame, tcp + 8, acknowledgement >> 16);
  write16(frame, tcp + 10, acknowledgement & 0xffff);
  return frame;
}

Bytes tagged(Bytes frame, uint16_t id) {
  const uint8_t tag[] = {0x81, 0, static_cast<uint8_t>(id >> 8), static_cast<uint8_t>(id)};
  frame.insert(frame.begin() + 12, std::begin(tag), std::end(tag));
  return frame;
}

class NatPath : public ::testing::TestWithParam<bool> {
 protected:
  static constexpr uint16_t kTcpPort = 8000;
  static constexpr uint16_t kUdpPort = 8053;
  static constexpr uint16_t kProxyPort = 8001;
  static constexpr uint16_t kBackendPort = 8080;

  void SetUp() override { build(1, {1024, 65535}); }
  void TearDown() override {
    for (size_t i = 0; rig_ && i < contexts_; ++i) {
      EXPECT_TRUE(rig_->counters_add_up(i));
    }
  }

  bool v6() const { return GetParam(); }
  std::string client() const { return v6() ? "2001:db8:1::1" : "192.0.2.1"; }
  std::string vip() const { return v6() ? "2001:db8:100::1" : "198.51.100.1"; }
  std::string nat() const { return v6() ? "fd00::9" : "10.0.0.9"; }
  std::string backend(int i = 0) const { return (v6() ? "fd00:1::1" : "10.0.1.1") + std::to_string(i + 1); }
  IpAddress parse(const std::string& text) const { return IpAddress::parse(text).value(); }

  void build(size_t workers, NatPortRange range) {
    tables_.clear();
    rig_.emplace(workers);
    contexts_ = workers;
    const std::array prefixes = {IpPrefix(parse(nat()))};
    ports_.emplace(NatPorts::make(prefixes, range, static_cast<uint32_t>(workers)).value());
    for (uint32_t i = 0; i < workers; ++i) {
      tables_.push_back(std::make_unique<NatTable>(
          *ports_, i, nat_port_key({1, 2}), NatTable::kDefaultQuarantine, std::pmr::get_default_resource()));
      rig_->worker(i).nat = tables_.back().get();
      rig_->worker(i).number = i;
      rig_->worker(i).workers = static_cast<uint32_t>(workers);
    }
    for (uint16_t i = 0; i < Rig::kBackends; ++i) {
      rig_->addresses[i] = parse(backend(i));
    }
    publish();
  }

  // The first from 40000 whose flow to the udp service is that worker's.
  uint16_t port_of_worker(uint32_t number) {
    const WorkerContext& worker = rig_->worker();
    const uint32_t service = rig_->more.at(1).view.id;
    for (uint16_t port = 40000;; ++port) {
      const FlowKey key{parse(client()), parse(vip()), Be16(port), Be16(kUdpPort), Protocol::kUdp};
      if (nat_worker_of(worker.flow_hash.digest(key, service), worker.workers) == number) {
        return port;
      }
    }
  }

  void publish(bool with_services = true) {
    rig_->more.clear();
    if (with_services) {
      add_service(3, Protocol::kTcp, kTcpPort, false);
      add_service(4, Protocol::kUdp, kUdpPort, false);
      add_service(5, Protocol::kTcp, kProxyPort, true);
    }
    rig_->publish();
  }
  void add_service(uint32_t number, Protocol protocol, uint16_t port, bool proxy) {
    auto service = rig_->service(number, parse(vip()), protocol, port, ForwardMode::kNat);
    service.options.backend_port = kBackendPort;
    service.options.proxy_protocol = proxy;
    rig_->more.push_back(service);
  }

  Frame from_client(uint16_t port, uint16_t service) const {
    return Frame().from(client(), port).to(vip(), service);
  }
  Frame reply(const Seen& packet) const {
    return Frame()
        .from(packet.destination.address, packet.destination.port)
        .to(packet.source.address, packet.source.port);
  }
  Outcome run(const Bytes& frame, size_t worker = 0) { return rig_->run(frame, worker); }
  Seen sent(const Bytes& frame, size_t worker = 0) {
    const Outcome outcome = run(frame, worker);
    EXPECT_EQ(outcome.verdict, Verdict::kSend);
    return Seen(outcome.frame);
  }
  // The SYN as its backend gets it.
  Seen open(uint16_t port, uint16_t service = kTcpPort) {
    return sent(numbered(from_client(port, service).tcp("S").bytes(), 1000, 0));
  }
  // And the rest of the handshake.
  Seen establish(uint16_t port, uint16_t service = kTcpPort) {
    const Seen syn = open(port, service);
    sent(numbered(reply(syn).tcp("SA").bytes(), 5000, 1001));
    sent(numbered(from_client(port, service).tcp("A").bytes(), 1001, 5001));
    return syn;
  }
  Bytes data(uint16_t port, uint16_t service = kTcpPort) const {
    return numbered(from_client(port, service).tcp("PA").payload(10).bytes(), 1001, 5001);
  }
  uint64_t dropped(DropReason reason, size_t worker = 0) const { return rig_->dropped(reason, worker); }
  uint64_t events(Event event) const { return rig_->events(event); }
  NatTable& table(size_t worker = 0) { return *tables_[worker]; }

  std::optional<Rig> rig_;
  size_t contexts_ = 0;
  std::optional<NatPorts> ports_;
  std::vector<std::unique_ptr<NatTable>> tables_;
};

INSTANTIATE_TEST_SUITE_P(Families, NatPath, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "Ipv6" : "Ipv4"; });

TEST_P(NatPath, TcpGoesThereAndBack) {
  const Outcome outcome = run(numbered(from_client(40000, kTcpPort).tcp("S").ttl(64).bytes(), 1000, 0));
  ASSERT_EQ(outcome.verdict, Verdict::kSend);
  EXPECT_EQ(outcome.out_port, 1);
  const Seen syn(outcome.frame);
  EXPECT_EQ(syn.source.address, nat());
  EXPECT_GE(syn.source.port, 1024);
  EXPECT_EQ(syn.destination, (End{backend(), kBackendPort}));
  EXPECT_EQ(syn.ttl, 63);
  EXPECT_EQ(syn.word(4), 1000u);
  EXPECT_TRUE(
      std::equal(outcome.frame.begin(), outcome.frame.begin() + 6, Rig::mac_of(0, true).bytes.begin()));

  const Outcome back = run(numbered(reply(syn).tcp("SA").bytes(), 5000, 1001));
  ASSERT_EQ(back.verdict, Verdict::kSend);
  EXPECT_EQ(back.out_port, 0);
  const Seen answer(back.frame);
  EXPECT_EQ(answer.source, (End{vip(), kTcpPort}));
  EXPECT_EQ(answer.destination, (End{client(), 40000}));
  EXPECT_TRUE(std::equal(back.frame.begin(), back.frame.begin() + 6, kClientMac));
  EXPECT_TRUE(std::equal(back.frame.begin() + 6, back.frame.begin() + 12, rig_->ports[0].mac.bytes.begin()));

  EXPECT_EQ(sent(data(40000)).source, syn.source);
  EXPECT_EQ(table().size(), 1u);
  EXPECT_EQ(table().opening(), 0u);
}

TEST_P(NatPath, CountsWhatTheClientSends) {
  establish(40000);
  const auto& service = rig_->counters().services[3];
  const auto& backend = rig_->counters().backends[0];
  EXPECT_EQ(service.packets.value(), 2u);
  EXPECT_EQ(backend.packets.value(), 2u);
  EXPECT_EQ(service.bytes.value(), backend.bytes.value());
  EXPECT_EQ(service.new_flows.value(), 1u);
  EXPECT_EQ(backend.new_flows.value(), 1u);
  EXPECT_EQ(events(Event::kNatSessionsOpened), 1u);
  EXPECT_EQ(rig_->counters().sent.value(), 3u);
}

TEST_P(NatPath, DatagramsGoThereAndBack) {
  const Seen query = sent(from_client(40000, kUdpPort).udp().payload(20).bytes());
  EXPECT_EQ(query.source.address, nat());
  EXPECT_EQ(query.destination, (End{backend(), kBackendPort}));
  const Seen answer = sent(reply(query).udp().payload(30).bytes());
  EXPECT_EQ(answer.source, (End{vip(), kUdpPort}));
  EXPECT_EQ(answer.destination, (End{client(), 40000}));
  EXPECT_EQ(sent(from_client(40000, kUdpPort).udp().bytes()).source, query.source);
}

TEST_P(NatPath, OnlyASynOpensASession) {
  for (const char* flags : {"A", "SA", "R", "F", "SR", "SF", "PA"}) {
    EXPECT_EQ(run(from_client(40000, kTcpPort).tcp(flags).bytes()).verdict, Verdict::kDrop) << flags;
  }
  EXPECT_EQ(dropped(DropReason::kNoSession), 7u);
  EXPECT_EQ(table().size(), 0u);
}

TEST_P(NatPath, TheWrongPeersRepliesAreDropped) {
  const Seen syn = open(40000);
  for (const Bytes& hostile : {
           Frame().from(backend(1), kBackendPort).to(nat(), syn.source.port).tcp("SA").bytes(),
           Frame().from(backend(), kBackendPort + 1).to(nat(), syn.source.port).tcp("SA").bytes(),
           Frame().from(backend(), kBackendPort).to(nat(), syn.source.port ^ 1).tcp("SA").bytes(),
           Frame().from(backend(), kBackendPort).to(nat(), syn.source.port).udp().bytes(),
           Frame().from(client(), 40000).to(nat(), syn.source.port).tcp("R").bytes(),
       }) {
    EXPECT_EQ(run(hostile).verdict, Verdict::kDrop);
  }
  EXPECT_EQ(dropped(DropReason::kNoSession), 5u);
  EXPECT_EQ(run(reply(syn).tcp("SA").bytes()).verdict, Verdict::kSend);
}

TEST_P(NatPath, WhatIsOutsideThePortsIsTheKernels) {
  build(1, {2000, 2999});
  EXPECT_EQ(run(Frame().from(backend(), kBackendPort).to(nat(), 1999).tcp("A").bytes()).verdict,
            Verdict::kKernel);
  EXPECT_EQ(run(Frame().from(backend(), kBackendPort).to(nat(), 3000).udp().bytes()).verdict,
            Verdict::kKernel);
}

TEST_P(NatPath, AReplyToAnotherWorkersPortIsHandedOver) {
  build(2, {1024, 65535});
  const Seen query = sent(from_client(port_of_worker(0), kUdpPort).udp().bytes(), 0);
  const Bytes answer = reply(query).udp().payload(8).bytes();
  const Outcome elsewhere = run(answer, 1);
  EXPECT_EQ(elsewhere.verdict, Verdict::kHandOver);
  EXPECT_EQ(elsewhere.target, 0);
  EXPECT_EQ(elsewhere.frame, answer);
  EXPECT_EQ(rig_->counters(1).received.value(), 0u);
  const Outcome handed = rig_->run(answer, 0, 128, 0, true);
  ASSERT_EQ(handed.verdict, Verdict::kSend);
  EXPECT_EQ(Seen(handed.frame).destination, (End{client(), port_of_worker(0)}));
}

TEST_P(NatPath, AFlowIsOneWorkersWhateverQueueItComesBy) {
  build(2, {1024, 65535});
  const uint16_t port = port_of_worker(1);
  const Bytes query = from_client(port, kUdpPort).udp().bytes();
  const Outcome elsewhere = run(query, 0);
  EXPECT_EQ(elsewhere.verdict, Verdict::kHandOver);
  EXPECT_EQ(elsewhere.target, 1);
  EXPECT_EQ(elsewhere.frame, query);
  EXPECT_EQ(tables_[0]->size(), 0u);
  const Outcome handed = rig_->run(query, 1, 128, 0, true);
  ASSERT_EQ(handed.verdict, Verdict::kSend);
  // The next comes by the right queue: it has the same session.
  EXPECT_EQ(Seen(run(query, 1).frame).source, Seen(handed.frame).source);
  EXPECT_EQ(tables_[1]->size(), 1u);
}

TEST_P(NatPath, FlowsAreSpreadOverTheWorkers) {
  build(4, {1024, 65535});
  std::array<int, 4> flows{};
  for (uint16_t port = 10000; port < 14000; ++port) {
    const Outcome outcome = run(from_client(port, kUdpPort).udp().bytes(), 0);
    ++flows.at(outcome.verdict == Verdict::kHandOver ? outcome.target : 0);
  }
  for (const int count : flows) {
    EXPECT_NEAR(count, 1000, 140);  // five standard deviations
  }
}

TEST_P(NatPath, APacketIsHandedOverOnce) {
  build(2, {1024, 65535});
  const Seen query = sent(from_client(port_of_worker(0), kUdpPort).udp().bytes(), 0);
  EXPECT_EQ(rig_->run(reply(query).udp().bytes(), 1, 128, 0, true).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kNoSession, 1), 1u);
}

TEST_P(NatPath, ABackendThatFailsEndsItsSessions) {
  establish(40000);
  open(40001);
  const Seen query = sent(from_client(40002, kUdpPort).udp().bytes());
  rig_->states[0] = PlaceState::kUnhealthy;
  rig_->slots = {1};
  publish();
  EXPECT_EQ(run(data(40000)).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kNoSession), 1u);
  EXPECT_EQ(open(40001).destination.address, backend(1));
  const Seen moved = sent(from_client(40002, kUdpPort).udp().bytes());
  EXPECT_EQ(moved.destination.address, backend(1));
  EXPECT_NE(moved.source.port, query.source.port);
  EXPECT_EQ(run(reply(query).udp().bytes()).verdict, Verdict::kDrop);
}

TEST_P(NatPath, AServiceMayKeepConnectionsOnFailure) {
  rig_->keep_on_failure = true;
  publish();
  const Seen syn = establish(40000);
  rig_->states[0] = PlaceState::kDown;
  rig_->slots = {1};
  publish();
  EXPECT_EQ(sent(data(40000)).source, syn.source);
  EXPECT_EQ(open(40000).destination.address, backend(1));
}

TEST_P(NatPath, SessionsStayWhileTheirBackendDrains) {
  const Seen syn = establish(40000);
  const Seen query = sent(from_client(40002, kUdpPort).udp().bytes());
  rig_->states[0] = PlaceState::kDrain;
  rig_->slots = {1};
  publish();
  EXPECT_EQ(sent(data(40000)).source, syn.source);
  EXPECT_EQ(sent(from_client(40002, kUdpPort).udp().bytes()).source, query.source);
  EXPECT_EQ(open(40003).destination.address, backend(1));
}

TEST_P(NatPath, NoBackendNoSession) {
  rig_->slots = {kNoBackend};
  publish();
  EXPECT_EQ(run(from_client(40000, kTcpPort).tcp("S").bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kNoBackend), 1u);
  EXPECT_EQ(table().size(), 0u);
}

TEST_P(NatPath, ABackendOfTheOtherFamilyGetsNothing) {
  rig_->addresses[0] = parse(v6() ? "10.0.1.11" : "fd00:1::11");
  publish();
  EXPECT_EQ(run(from_client(40000, kTcpPort).tcp("S").bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kNoBackend), 1u);
}

TEST_P(NatPath, ARemovedServicesSessionsEnd) {
  const Seen syn = establish(40000);
  publish(false);
  EXPECT_EQ(run(reply(syn).tcp("A").bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kNoSession), 1u);
  EXPECT_EQ(table().size(), 0u);
}

TEST_P(NatPath, AnotherServiceOfTheSameAddressIsNotTheSessions) {
  const Seen syn = establish(40000);
  rig_->first_service_id = 100;
  publish();
  EXPECT_EQ(run(data(40000)).verdict, Verdict::kDrop);
  EXPECT_EQ(run(reply(syn).tcp("A").bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kNoSession), 2u);
}

TEST_P(NatPath, TheSweepEndsWhatExpired) {
  establish(40000);
  open(40001);
  rig_->now += std::chrono::seconds(20);
  EXPECT_TRUE(sweep_nat(rig_->worker(), table().capacity(), rig_->snapshot(), rig_->now));
  EXPECT_EQ(table().size(), 1u);
  EXPECT_EQ(events(Event::kNatSessionsExpired), 1u);
  EXPECT_EQ(sent(data(40000)).destination.address, backend());
}

TEST_P(NatPath, TheSweepEndsSessionsOfRemovedBackends) {
  establish(40000);
  rig_->states[0] = PlaceState::kRemoved;
  publish();
  sweep_nat(rig_->worker(), table().capacity(), rig_->snapshot(), rig_->now);
  EXPECT_EQ(table().size(), 0u);
}

TEST_P(NatPath, TheSweepKeepsThemIfAServiceDoes) {
  rig_->keep_on_failure = true;
  publish();
  establish(40000);
  rig_->states[0] = PlaceState::kRemoved;
  publish();
  sweep_nat(rig_->worker(), table().capacity(), rig_->snapshot(), rig_->now);
  EXPECT_EQ(table().size(), 1u);
  // Until the place is another backend's.
  rig_->states[0] = PlaceState::kUp;
  rig_->addresses[0] = parse(backend(7));
  publish();
  EXPECT_EQ(run(data(40000)).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kNoSession), 1u);
}

// What is asked before the place of a removed backend is given away.
TEST_P(NatPath, KeptSessionsOfARemovedBackendCountUntilTheyEnd) {
  Scheduling scheduling(0, 1, {1, 2}, 4, 2 * Rig::kBackends, std::pmr::get_default_resource());
  BackendFlows* const workers[] = {&scheduling.flows};
  rig_->worker().scheduling = &scheduling;
  tables_[0]->count_in(&scheduling.flows);
  rig_->keep_on_failure = true;
  publish();
  const uint32_t counter = rig_->snapshot().pool(1)->backends[0].counter;
  establish(40000);
  establish(40001);
  EXPECT_EQ(flows_of(workers, counter), 2u);
  rig_->states[0] = PlaceState::kRemoved;
  publish();
  sweep_nat(rig_->worker(), table().capacity(), rig_->snapshot(), rig_->now);
  EXPECT_EQ(flows_of(workers, counter), 2u);
  rig_->now += std::chrono::seconds(1000);
  sweep_nat(rig_->worker(), table().capacity(), rig_->snapshot(), rig_->now);
  EXPECT_EQ(flows_of(workers, counter), 0u);
  rig_->worker().scheduling = nullptr;
  tables_[0]->count_in(nullptr);
}

TEST_P(NatPath, AllPortsTaken) {
  build(1, {2000, 2003});
  for (uint16_t i = 0; i < 4; ++i) {
    establish(static_cast<uint16_t>(40000 + i));
  }
  EXPECT_EQ(run(from_client(41000, kTcpPort).tcp("S").bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kNoNatPort), 1u);
  // Those of UDP are others.
  EXPECT_EQ(run(from_client(41000, kUdpPort).udp().bytes()).verdict, Verdict::kSend);
}

TEST_P(NatPath, AFloodReplacesOpeningSessionsOnly) {
  build(1, {2000, 2007});
  const Seen kept = establish(40000);
  for (uint16_t i = 0; i < 100; ++i) {
    open(static_cast<uint16_t>(41000 + i));
  }
  EXPECT_EQ(table().size(), 5u);
  EXPECT_EQ(events(Event::kNatSessionsReplaced), 96u);
  EXPECT_EQ(sent(data(40000)).source, kept.source);
}

TEST_P(NatPath, WithoutASourceNothingGoes) {
  rig_->worker().nat = nullptr;
  EXPECT_EQ(run(from_client(40000, kTcpPort).tcp("S").bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kNoNatSource), 1u);
  EXPECT_EQ(run(Frame().from(backend(), 80).to(nat(), 2000).tcp("A").bytes()).verdict, Verdict::kKernel);
}

TEST_P(NatPath, ASourceOfTheOtherFamilyIsNone) {
  const std::array prefixes = {IpPrefix(parse(v6() ? "10.0.0.9" : "fd00::9"))};
  const auto ports = NatPorts::make(prefixes, {}, 1).value();
  NatTable other(ports, 0, {}, NatTable::kDefaultQuarantine, std::pmr::get_default_resource());
  rig_->worker().nat = &other;
  EXPECT_EQ(run(from_client(40000, kTcpPort).tcp("S").bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kNoNatSource), 1u);
}

TEST_P(NatPath, OurOwnPacketsAreNotTranslatedAgain) {
  EXPECT_EQ(run(Frame().from(nat(), 2000).to(vip(), kTcpPort).tcp("S").bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kLoop), 1u);
}

TEST_P(NatPath, ATtlThatEndsHereOpensNothing) {
  EXPECT_EQ(run(from_client(40000, kTcpPort).tcp("S").ttl(1).bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(table().size(), 0u);
  const Seen syn = open(40000);
  EXPECT_EQ(run(reply(syn).tcp("SA").ttl(1).bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kTtlExceeded), 2u);
}

TEST_P(NatPath, AConnectionThatEndedBeginsAnewFromAnotherPort) {
  const Seen first = establish(40000);
  sent(numbered(from_client(40000, kTcpPort).tcp("R").bytes(), 1001, 0));
  const Seen second = open(40000);
  EXPECT_NE(second.source.port, first.source.port);
  EXPECT_EQ(run(reply(first).tcp("A").bytes()).verdict, Verdict::kDrop);
}

TEST_P(NatPath, ASynThatIsSentAgainKeepsItsPort) {
  EXPECT_EQ(open(40000).source, open(40000).source);
  EXPECT_EQ(events(Event::kNatSessionsOpened), 1u);
}

TEST_P(NatPath, TheProxyHeaderComesFirst) {
  const size_t length = v6() ? 52 : 28;
  const Seen syn = open(40000, kProxyPort);
  sent(numbered(reply(syn).tcp("SA").bytes(), 5000, 1001));
  const Bytes first = data(40000, kProxyPort);
  const Seen seen = sent(first);
  EXPECT_EQ(seen.bytes.size(), first.size() + length);
  EXPECT_EQ(seen.word(4), 1001u);
  EXPECT_EQ(seen.word(20), 0x0d0a0d0au);
  EXPECT_TRUE(std::equal(seen.bytes.begin(), seen.bytes.begin() + 6, Rig::mac_of(0, true).bytes.begin()));
  const Seen acknowledged =
      sent(numbered(reply(syn).tcp("A").bytes(), 5001, static_cast<uint32_t>(1011 + length)));
  EXPECT_EQ(acknowledged.word(8), 1011u);
}

TEST_P(NatPath, WhatTheProxyHeaderMakesTooBigIsToldSo) {
  const uint16_t header = v6() ? 60 : 40;
  const Seen syn = open(40000, kProxyPort);
  sent(numbered(reply(syn).tcp("SA").bytes(), 5000, 1001));
  const Bytes full = numbered(
      from_client(40000, kProxyPort).tcp("A").payload(1500 - header).dont_fragment().bytes(), 1001, 5001);
  const Outcome told = rig_->run(full, 0, 128, 128);
  EXPECT_EQ(told.verdict, Verdict::kSend);
  EXPECT_EQ(told.out_port, 0);
  EXPECT_EQ(dropped(DropReason::kTooBig), 1u);
  const size_t mtu = v6() ? 14 + 40 + 6 : 14 + 20 + 6;
  EXPECT_EQ(read16(told.frame, mtu), v6() ? 1448 : 1472);
  const Bytes fits = numbered(
      from_client(40000, kProxyPort).tcp("A").payload(v6() ? 1448 - 60 : 1472 - 40).dont_fragment().bytes(),
      1001, 5001);
  EXPECT_EQ(sent(fits).bytes.size(), 1514u);
}

TEST_P(NatPath, NoRoomForTheProxyHeader) {
  const Seen syn = open(40000, kProxyPort);
  sent(numbered(reply(syn).tcp("SA").bytes(), 5000, 1001));
  EXPECT_EQ(rig_->run(data(40000, kProxyPort), 0, 20).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kNoHeadroom), 1u);
}

TEST_P(NatPath, BigPacketsThatMayBeFragmentedAreDropped) {
  if (v6()) {
    GTEST_SKIP() << "IPv6 has none";
  }
  establish(40000);
  EXPECT_EQ(run(numbered(from_client(40000, kTcpPort).tcp("A").payload(1480).bytes(), 1001, 5001)).verdict,
            Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kTooBig), 1u);
  EXPECT_EQ(rig_->counters().originated.value(), 0u);
}

TEST_P(NatPath, AnUnresolvedNextHopDrops) {
  rig_->next_hops.clear(0);
  EXPECT_EQ(run(from_client(40000, kTcpPort).tcp("S").bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kNoNextHop), 1u);
}

TEST_P(NatPath, RepliesLeaveByTheClientsVlan) {
  rig_->ports[1] = rig_->ports[0];
  rig_->ports[1].port = 0;
  rig_->ports[1].vlan_inner = 7;
  const Outcome outcome = run(tagged(from_client(40000, kUdpPort).udp().bytes(), 7));
  ASSERT_EQ(outcome.verdict, Verdict::kSend);
  const Seen query(outcome.frame);
  EXPECT_EQ(query.destination.address, backend());
  const Outcome back = run(reply(query).udp().bytes());
  ASSERT_EQ(back.verdict, Verdict::kSend);
  EXPECT_EQ(read16(back.frame, 12), 0x8100);
  EXPECT_EQ(read16(back.frame, 14), 7);
  EXPECT_EQ(Seen(back.frame).destination, (End{client(), 40000}));
}

TEST_P(NatPath, AGroupsMacIsNoClients) {
  const Seen query = sent(from_client(40000, kUdpPort).udp().from_mac({3, 0, 0, 0, 0, 1}).bytes());
  EXPECT_EQ(run(reply(query).udp().bytes()).verdict, Verdict::kDrop);
  EXPECT_EQ(dropped(DropReason::kNoNextHop), 1u);
}

}  // namespace
}  // namespace maglb
