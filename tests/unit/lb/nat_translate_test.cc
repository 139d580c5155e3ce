#include "lib/lb/nat_translate.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "lib/flow/nat_stream.h"
#include "lib/net/tcp_options.h"
#include "lib/net/wire.h"
#include "tests/unit/lb/nat_packets.h"

namespace maglb {
namespace {

using nat_packets::bytes_of;
using nat_packets::Case;
using nat_packets::session_of;
using testing::Bytes;
using testing::read16;
using testing::write16;

// A packet with room in front of it, and a mark in front of that room.
class Held {
 public:
  explicit Held(const Bytes& packet, uint16_t headroom = 60) : bytes_(kMark + headroom, 0xcc) {
    bytes_.insert(bytes_.end(), packet.begin(), packet.end());
    view.ip = bytes_.data() + kMark + headroom;
    view.length = static_cast<uint16_t>(packet.size());
    view.headroom = headroom;
    view.is_v6 = packet[0] >> 4 == 6;
    const bool later = !view.is_v6 && (read_offset() & 0x1fff) != 0;
    view.l4_offset = static_cast<uint16_t>(later ? 0 : view.is_v6 ? 40 : (packet[0] & 15) * 4);
  }
  Bytes packet() const { return {view.ip, view.ip + view.length}; }
  bool mark_stands() const {
    return std::all_of(bytes_.begin(), bytes_.begin() + kMark, [](uint8_t b) { return b == 0xcc; });
  }

  NatPacket view;

 private:
  static constexpr size_t kMark = 16;
  uint16_t read_offset() const { return static_cast<uint16_t>(view.ip[6] << 8 | view.ip[7]); }
  Bytes bytes_;
};

NatResult translate(Held& held, nat_packets::Way way, const NatSession& session) {
  return way == nat_packets::kToBackend ? to_backend(held.view, session) : to_client(held.view, session);
}

class NatPackets : public ::testing::TestWithParam<Case> {};

TEST_P(NatPackets, AreAsScapyMakesThem) {
  Held held(bytes_of(GetParam().before));
  const NatSession session = session_of(GetParam().kind);
  const size_t growth = GetParam().way == nat_packets::kToBackend ? growth_to_backend(held.view, session) : 0;
  const size_t carried = held.view.length + growth;
  ASSERT_EQ(translate(held, GetParam().way, session), NatResult::kTranslated);
  EXPECT_EQ(held.packet(), bytes_of(GetParam().after));
  EXPECT_GE(carried, held.view.length);
  EXPECT_EQ(growth != 0, held.packet().size() > bytes_of(GetParam().before).size());
  EXPECT_EQ(held.view.headroom, 60 - growth);
  EXPECT_TRUE(held.mark_stands());
}

// Every checksum field is off by the same as before, so the receiver finds out.
TEST_P(NatPackets, StayDamagedWhereTheyWere) {
  const Bytes good = bytes_of(GetParam().before);
  const NatSession session = session_of(GetParam().kind);
  const Held whole(good);
  const size_t l4 = whole.view.l4_offset;
  const size_t data = l4 + (l4 == 0 ? 20u : session.is_tcp() ? (good[l4 + 12] >> 4) * 4u : 8u);
  for (size_t at = data; at < good.size(); ++at) {
    Bytes damaged = good;
    damaged[at] ^= 0x10;
    Held held(damaged);
    Held intact(good);
    ASSERT_EQ(translate(held, GetParam().way, session), NatResult::kTranslated);
    ASSERT_EQ(translate(intact, GetParam().way, session), NatResult::kTranslated);
    if (held.packet().size() < good.size()) {
      return;  // what was damaged has been cut off; the difference is still in the checksum
    }
    Bytes difference = held.packet();
    const Bytes expected = intact.packet();
    ASSERT_EQ(difference.size(), expected.size());
    size_t differs = 0;
    for (size_t i = 0; i < difference.size(); ++i) {
      differs += difference[i] != expected[i];
    }
    EXPECT_EQ(differs, 1u);
  }
}

INSTANTIATE_TEST_SUITE_P(Translate, NatPackets, ::testing::ValuesIn(nat_packets::kPackets),
                         [](const auto& info) { return info.param.name; });

Case packet_named(const std::string& name) {
  for (const Case& one : nat_packets::kPackets) {
    if (one.name == name) {
      return one;
    }
  }
  return {};
}

void expect_refused(const Bytes& packet, const NatSession& session, bool backwards, NatResult expected,
                    uint16_t headroom = 60) {
  Held held(packet, headroom);
  EXPECT_EQ(backwards ? to_client(held.view, session) : to_backend(held.view, session), expected);
  EXPECT_EQ(held.packet(), packet);
  EXPECT_EQ(held.view.headroom, headroom);
  EXPECT_TRUE(held.mark_stands());
}

TEST(NatTranslate, ForwardsNothingWhoseTimeIsUp) {
  for (const bool v6 : {false, true}) {
    for (const bool backwards : {false, true}) {
      const Case one =
          packet_named(std::string(v6 ? "Tcp6To" : "TcpTo") + (backwards ? "Client" : "Backend"));
      Bytes packet = bytes_of(one.before);
      for (const uint8_t ttl : {0, 1}) {
        packet[v6 ? 7 : 8] = ttl;
        expect_refused(packet, session_of(one.kind), backwards, NatResult::kTtlExceeded);
      }
    }
  }
}

TEST(NatTranslate, NeedsRoomForTheHeader) {
  for (const char* name : {"FirstDataCarriesTheHeader", "FirstData6CarriesTheHeader"}) {
    const Case one = packet_named(name);
    const NatSession session = session_of(one.kind);
    expect_refused(bytes_of(one.before), session, false, NatResult::kNoHeadroom,
                   static_cast<uint16_t>(session.header_length - 1));
    Held held(bytes_of(one.before), session.header_length);
    EXPECT_EQ(to_backend(held.view, session), NatResult::kTranslated);
    EXPECT_EQ(held.packet(), bytes_of(one.after));
    EXPECT_TRUE(held.mark_stands());
  }
}

TEST(NatTranslate, MakesNoPacketLongerThanCanBe) {
  Bytes packet = bytes_of(packet_named("FirstDataCarriesTheHeader").before);
  packet.resize(65535 - 27);
  expect_refused(packet, session_of(nat_packets::kTcp4Proxy), false, NatResult::kTooLong);
}

TEST(NatTranslate, PutsNoHeaderIntoAFragment) {
  for (const char* name : {"FirstDataCarriesTheHeader", "SynLosesDataAndFastOpen"}) {
    Bytes packet = bytes_of(packet_named(name).before);
    packet[6] = 0x20;  // more fragments
    expect_refused(packet, session_of(nat_packets::kTcp4Proxy), false, NatResult::kFragmented);
  }
}

TEST(NatTranslate, CarriesTheHeaderUntilItIsAcknowledged) {
  const Case one = packet_named("FirstAckCarriesTheHeader");
  NatSession session = session_of(one.kind);
  note_acknowledgement(session, 1028);
  Held held(bytes_of(one.before));
  EXPECT_EQ(growth_to_backend(held.view, session), 28);
  note_acknowledgement(session, 1029);
  EXPECT_EQ(growth_to_backend(held.view, session), 0);
  ASSERT_EQ(to_backend(held.view, session), NatResult::kTranslated);
  EXPECT_EQ(header_at<TcpHeader>(held.view.ip + 20).sequence.host(), 1029u);
  EXPECT_EQ(held.view.length, bytes_of(one.before).size());
}

// Sums TCP's segment with its pseudo header: 0 if the checksum is right.
uint16_t tcp_sum(const Bytes& packet) {
  const bool v6 = packet[0] >> 4 == 6;
  const size_t l4 = v6 ? 40 : 20;
  Bytes summed(packet.begin() + (v6 ? 8 : 12), packet.end());
  const size_t length = packet.size() - l4;
  summed.insert(summed.begin(), {0, 6, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)});
  return testing::checksum_of(summed.data(), summed.size());
}

TEST(NatTranslate, TellsTheClientNoHigherMssThanTheLimit) {
  const Case one = packet_named("SynOfTheBackendIsLowered");
  for (const auto& [limit, expected] : {std::pair(1400, 1400), std::pair(1440, 1432), std::pair(0, 1432)}) {
    Held held(bytes_of(one.before));
    ASSERT_EQ(to_client(held.view, session_of(one.kind), static_cast<uint16_t>(limit)),
              NatResult::kTranslated);
    const auto mss = mss_option({held.view.ip + 20, size_t{held.view.length} - 20});
    EXPECT_EQ(mss->value, expected);
    EXPECT_EQ(tcp_sum(held.packet()), 0);
  }
}

// Any options, flags and numbers near the begin of the stream: nothing outside of the packet changes, and a
// right checksum stays right.
TEST(NatTranslate, TakesEveryHeader) {
  std::mt19937 random(9293);
  constexpr size_t kHeadroom = 52;
  for (int round = 0; round < 40000; ++round) {
    const bool v6 = random() % 2 == 0;
    const bool backwards = random() % 2 == 0;
    const std::string name = std::string(v6 ? "Tcp6To" : "TcpTo") + (backwards ? "Client" : "Backend");
    Bytes packet = bytes_of(packet_named(name).before);
    const size_t l4 = v6 ? 40 : 20;
    const size_t header = 20 + 4 * (random() % 11);
    packet.resize(l4 + header + random() % 30);
    for (size_t i = l4 + 20; i < packet.size(); ++i) {
      const std::array<uint8_t, 10> likely{0, 1, 2, 4, 5, 10, 18, 34, 254, 0xf9};
      packet[i] = random() % 2 == 0 ? likely[random() % likely.size()] : static_cast<uint8_t>(random());
    }
    packet[l4 + 12] = static_cast<uint8_t>(header / 4 << 4);
    packet[l4 + 13] = static_cast<uint8_t>(random());
    write16(packet, l4 + 6, 990 + random() % 80);
    write16(packet, l4 + 10, 990 + random() % 80);
    write16(packet, v6 ? 4 : 2, packet.size() - (v6 ? 40 : 0));
    write16(packet, l4 + 16, 0);
    write16(packet, l4 + 16, tcp_sum(packet));
    Bytes guarded(kHeadroom + packet.size() + 64, 0xcc);
    std::copy(packet.begin(), packet.end(), guarded.begin() + kHeadroom);
    NatPacket view{.ip = guarded.data() + kHeadroom,
                   .length = static_cast<uint16_t>(packet.size()),
                   .headroom = kHeadroom,
                   .l4_offset = static_cast<uint16_t>(l4),
                   .is_v6 = v6};
    const NatSession session = session_of(v6 ? nat_packets::kTcp6Proxy : nat_packets::kTcp4Proxy);
    ASSERT_EQ(backwards ? to_client(view, session, 900) : to_backend(view, session), NatResult::kTranslated);
    ASSERT_EQ(tcp_sum({view.ip, view.ip + view.length}), 0) << round;
    ASSERT_TRUE(std::all_of(guarded.end() - 64, guarded.end(), [](uint8_t b) { return b == 0xcc; }));
    ASSERT_LE(guarded.data(), view.ip);
  }
}

// RFC 768: a checksum that comes out as zero is sent as all ones.
TEST(NatTranslate, NeverWritesAUdpChecksumOfZero) {
  for (const char* name : {"UdpToBackend", "Udp6ToBackend"}) {
    const Case one = packet_named(name);
    const size_t l4 = one.kind == nat_packets::kUdp6 ? 40 : 20;
    Bytes packet = bytes_of(one.before);
    Bytes after = bytes_of(one.after);
    // The data's first word takes what the checksum is to lose.
    const uint32_t excess = read16(after, l4 + 6);
    for (Bytes* bytes : {&packet, &after}) {
      uint32_t word = read16(*bytes, l4 + 8) + excess;
      write16(*bytes, l4 + 8, (word & 0xffff) + (word >> 16));
    }
    const uint32_t checksum = read16(packet, l4 + 6) + (0xffff - excess);
    write16(packet, l4 + 6, (checksum & 0xffff) + (checksum >> 16));
    write16(after, l4 + 6, 0xffff);
    Held held(packet);
    ASSERT_EQ(to_backend(held.view, session_of(one.kind)), NatResult::kTranslated);
    EXPECT_EQ(held.packet(), after);
  }
}

}  // namespace
}  // namespace maglb
