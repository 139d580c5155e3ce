// Whole connections through the translation: packets are lost, repeated and reordered on both sides of it,
// and each end must have read exactly what the other wrote, the backend behind the PROXY header.
//
//   client --wire--> [ NatTable, track, to_backend ] --wire--> backend
//          <--wire-- [ NatTable, track, to_client  ] <--wire--
#include <gtest/gtest.h>

#include <random>

#include "lib/lb/nat_translate.h"
#include "lib/net/wire.h"
#include "tests/unit/flow/nat_rig.h"
#include "tests/unit/lb/nat_endpoint.h"

namespace maglb {
namespace {

using testing::Bytes;
using testing::TcpAddress;
using testing::TcpEndpoint;

class Wire {
 public:
  Wire(std::mt19937& random, unsigned loss_percent) : random_(random), loss_percent_(loss_percent) {}
  void put(const Bytes& packet, int now) {
    for (int copies = random_() % 20 == 0 ? 2 : 1; copies > 0; --copies) {
      if (random_() % 100 >= loss_percent_) {
        const int delay = random_() % 5 == 0 ? static_cast<int>(random_() % 60) : 1;
        on_the_way_.emplace(now + delay, packet);
      }
    }
  }
  std::optional<Bytes> take(int now) {
    if (on_the_way_.empty() || on_the_way_.begin()->first > now) {
      return std::nullopt;
    }
    Bytes packet = on_the_way_.begin()->second;
    on_the_way_.erase(on_the_way_.begin());
    return packet;
  }

 private:
  std::mt19937& random_;
  unsigned loss_percent_;
  std::multimap<int, Bytes> on_the_way_;
};

struct Setting {
  bool proxy = false;
  bool v6 = false;
  bool backend_speaks_first = false;
  bool tiny_windows = false;  // shorter than the header, too
  unsigned loss_percent = 0;
};

class NatConnection {
 public:
  NatConnection(const Setting& setting, unsigned seed)
      : setting_(setting),
        random_(seed),
        rig_(nat_ports({"10.0.0.0/30", "fd00::/126"}, {2000, 2099})),
        key_(NatRig::key(static_cast<uint16_t>(1024 + seed), Protocol::kTcp, setting.v6)),
        header_(setting.proxy ? header() : ""),
        client_data_(text(random_() % (setting.tiny_windows ? 1000 : 20000))),
        backend_data_(text(random_() % (setting.tiny_windows ? 1000 : 20000))),
        client_({.connects = true,
                 .isn = isn(),
                 .data = client_data_,
                 .speaks_after = setting.backend_speaks_first ? backend_data_.size() : 0,
                 .mss = 1200,
                 .window = window()},
                random_),
        backend_({.isn = isn(),
                  .data = backend_data_,
                  .speaks_after = header_.size(),
                  .mss = 1000,
                  .window = window()},
                 random_) {}

  void run() {
    constexpr int kLongest = 400000;
    for (now_ = 0; now_ < kLongest && !(client_.is_done() && backend_.is_done()); ++now_) {
      step();
      if (::testing::Test::HasFailure()) {
        break;
      }
    }
    EXPECT_LT(now_, kLongest) << "does not come to an end";
    EXPECT_TRUE(backend_.received() == header_ + client_data_);
    EXPECT_TRUE(client_.received() == backend_data_);
  }

 private:
  enum { kFromClient, kToBackend, kFromBackend, kToClient };

  static TcpAddress end(const IpAddress& address, Be16 port) { return {address.to_string(), port.host()}; }
  TcpAddress client_end() const { return end(key_.source, key_.source_port); }
  TcpAddress service_end() const { return end(key_.destination, key_.destination_port); }

  // After haproxy's proxy-protocol.txt, 2.2.
  std::string header() const {
    std::string header("\r\n\r\n\0\r\nQUIT\n\x21", 13);
    header += setting_.v6 ? std::string("\x21\0\x24", 3) : std::string("\x11\0\x0c", 3);
    for (const TcpAddress& one : {client_end(), service_end()}) {
      const Bytes bytes = testing::address_bytes(one.address);
      header.append(bytes.begin(), bytes.end());
    }
    for (const TcpAddress& one : {client_end(), service_end()}) {
      header += {static_cast<char>(one.port >> 8), static_cast<char>(one.port)};
    }
    return header;
  }
  std::string text(size_t size) {
    std::string text(size, ' ');
    for (char& c : text) {
      c = static_cast<char>(random_());
    }
    return text;
  }
  // Often where numbers wrap around during the connection.
  uint32_t isn() {
    return random_() % 2 == 0 ? static_cast<uint32_t>(random_())
                              : 0u - static_cast<uint32_t>(random_() % 9000);
  }
  uint16_t window() {
    return static_cast<uint16_t>(setting_.tiny_windows ? 10 + random_() % 50 : 1100 + random_() % 12000);
  }

  void step() {
    rig_.now += std::chrono::microseconds(100);
    for (const auto& segment : client_.tick()) {
      wires_[kFromClient].put(packet_of(segment, client_end(), service_end()), now_);
    }
    for (const auto& segment : backend_.tick()) {
      wires_[kFromBackend].put(packet_of(segment, backend_end_, nat_end_), now_);
    }
    while (const auto packet = wires_[kFromClient].take(now_)) {
      translate_to_backend(*packet);
    }
    while (const auto packet = wires_[kFromBackend].take(now_)) {
      translate_to_client(*packet);
    }
    while (const auto packet = wires_[kToBackend].take(now_)) {
      backend_.receive(segment_of(*packet, nat_end_, backend_end_));
    }
    while (const auto packet = wires_[kToClient].take(now_)) {
      client_.receive(segment_of(*packet, service_end(), client_end()));
    }
  }

  static TcpFacts facts_of(const NatPacket& packet) {
    const auto& tcp = header_at<TcpHeader>(packet.ip + packet.l4_offset);
    return {tcp.flags, tcp.sequence.host(), tcp.acknowledgement.host()};
  }
  NatPacket view_of(Bytes& bytes) const {
    constexpr uint16_t kHeadroom = 52;
    bytes.insert(bytes.begin(), kHeadroom, 0);
    return {.ip = bytes.data() + kHeadroom,
            .length = static_cast<uint16_t>(bytes.size() - kHeadroom),
            .headroom = kHeadroom,
            .l4_offset = static_cast<uint16_t>(setting_.v6 ? 40 : 20),
            .is_v6 = setting_.v6};
  }

  void translate_to_backend(Bytes bytes) {
    NatPacket packet = view_of(bytes);
    NatSession* session = rig_.find(key_);
    if (session == nullptr) {
      session = rig_.open(key_, setting_.proxy).session;
      nat_end_ = end(session->nat, session->nat_port);
      backend_end_ = end(session->backend, session->backend_port);
    }
    rig_.client(*session, facts_of(packet));
    const uint16_t growth = growth_to_backend(packet, *session);
    const uint16_t length = packet.length;
    ASSERT_EQ(to_backend(packet, *session), NatResult::kTranslated);
    ASSERT_EQ(packet.length, length + growth);
    wires_[kToBackend].put({packet.ip, packet.ip + packet.length}, now_);
  }
  void translate_to_client(Bytes bytes) {
    NatPacket packet = view_of(bytes);
    const auto index = rig_.ports.index_of(address(nat_end_.address));
    NatSession* const session =
        rig_.table.find_reply(*index, nat_end_.port, Protocol::kTcp, Tick::at(rig_.now));
    ASSERT_NE(session, nullptr);
    rig_.backend(*session, facts_of(packet));
    ASSERT_EQ(to_client(packet, *session), NatResult::kTranslated);
    wires_[kToClient].put({packet.ip, packet.ip + packet.length}, now_);
  }

  Setting setting_;
  std::mt19937 random_;
  NatRig rig_;
  FlowKey key_;
  std::string header_;
  std::string client_data_;
  std::string backend_data_;
  TcpEndpoint client_;
  TcpEndpoint backend_;
  TcpAddress nat_end_;
  TcpAddress backend_end_;
  std::vector<Wire> wires_ = std::vector<Wire>(4, Wire(random_, setting_.loss_percent));
  int now_ = 0;
};

class NatStreams : public ::testing::TestWithParam<unsigned> {
 protected:
  void run(Setting setting) {
    for (unsigned seed = 1; seed <= 25 && !HasFailure(); ++seed) {
      setting.loss_percent = GetParam();
      SCOPED_TRACE("seed " + std::to_string(seed));
      NatConnection(setting, seed).run();
    }
  }
};

TEST_P(NatStreams, ArriveAsTheyWereSent) {
  run({});
}
TEST_P(NatStreams, ArriveAsTheyWereSentOverVersionSix) {
  run({.v6 = true});
}
TEST_P(NatStreams, ArriveBehindTheHeader) {
  run({.proxy = true});
}
TEST_P(NatStreams, ArriveBehindTheHeaderOverVersionSix) {
  run({.proxy = true, .v6 = true});
}
TEST_P(NatStreams, ArriveBehindTheHeaderWhereTheBackendSpeaksFirst) {
  run({.proxy = true, .backend_speaks_first = true});
}

TEST_P(NatStreams, ArriveBehindTheHeaderThroughTinyWindows) {
  run({.proxy = true, .tiny_windows = true});
}

INSTANTIATE_TEST_SUITE_P(LossPercent, NatStreams, ::testing::Values(0u, 3u, 20u));

}  // namespace
}  // namespace maglb
