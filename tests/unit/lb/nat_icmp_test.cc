#include "lib/lb/nat_icmp.h"

#include <gtest/gtest.h>

#include <random>

#include "lib/flow/nat_stream.h"
#include "tests/unit/lb/nat_packets.h"

namespace maglb {
namespace {

using nat_packets::bytes_of;
using nat_packets::Case;
using nat_packets::session_of;
using testing::Bytes;
using testing::write16;

NatPacket view_of(Bytes& bytes) {
  NatPacket packet;
  packet.ip = bytes.data();
  packet.length = static_cast<uint16_t>(bytes.size());
  packet.is_v6 = bytes[0] >> 4 == 6;
  return packet;
}

NatResult translate(NatPacket& packet, const NatQuote& quote, const Case& one, const NatSession& session) {
  return one.way == nat_packets::kToClient ? error_to_client(packet, quote, session)
                                           : error_to_backend(packet, quote, session);
}

// Sets the error's own checksum, as its sender would.
void seal(Bytes& bytes) {
  const size_t icmp = bytes[0] >> 4 == 6 ? 40 : (bytes[0] & 15) * 4u;
  write16(bytes, icmp + 2, 0);
  Bytes summed(bytes.begin() + static_cast<std::ptrdiff_t>(icmp), bytes.end());
  if (icmp == 40) {
    const size_t length = summed.size();
    summed.insert(summed.begin(), bytes.begin() + 8, bytes.begin() + 40);
    summed.insert(summed.begin(), {static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length), 0, 58});
  }
  write16(bytes, icmp + 2, testing::checksum_of(summed.data(), summed.size()));
}

class NatErrors : public ::testing::TestWithParam<Case> {};

TEST_P(NatErrors, AreAsScapyMakesThem) {
  Bytes bytes = bytes_of(GetParam().before);
  const NatSession session = session_of(GetParam().kind);
  NatPacket packet = view_of(bytes);
  const auto quote = parse_quote(packet);
  ASSERT_TRUE(quote);
  const bool to_client = GetParam().way == nat_packets::kToClient;
  EXPECT_EQ(quote->key.source, to_client ? session.nat : session.service);
  EXPECT_EQ(quote->key.destination, to_client ? session.backend : session.client);
  EXPECT_EQ(quote->key.source_port, to_client ? session.nat_port : session.service_port);
  EXPECT_EQ(quote->key.destination_port, to_client ? session.backend_port : session.client_port);
  EXPECT_EQ(quote->key.protocol, session.protocol);
  ASSERT_EQ(translate(packet, *quote, GetParam(), session), NatResult::kTranslated);
  EXPECT_EQ(bytes, bytes_of(GetParam().after));
}

TEST_P(NatErrors, QuoteNothingWhereTheyAreDamaged) {
  const Bytes good = bytes_of(GetParam().before);
  const size_t icmp = good[0] >> 4 == 6 ? 40 : 20;
  for (size_t at = icmp; at < good.size(); ++at) {
    Bytes bytes = good;
    bytes[at] ^= 0x01;
    EXPECT_FALSE(parse_quote(view_of(bytes))) << at;
  }
}

TEST_P(NatErrors, QuoteNothingWhereTheyEndTooEarly) {
  const Bytes good = bytes_of(GetParam().before);
  Bytes whole = good;
  const size_t least = parse_quote(view_of(whole))->l4 + 8u;
  for (size_t size = 1; size < good.size(); ++size) {
    Bytes bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    const size_t icmp = good[0] >> 4 == 6 ? 40 : 20;
    if (size >= icmp + 4) {
      seal(bytes);
    }
    EXPECT_EQ(parse_quote(view_of(bytes)).has_value(), size >= least) << size;
  }
}

// Anything in the headers, with a checksum that fits: what is found lies within the packet, and a
// translation changes nothing outside of it.
TEST_P(NatErrors, StayWithinThePacketWhateverItHolds) {
  std::mt19937 random(792);
  const Bytes good = bytes_of(GetParam().before);
  const NatSession session = session_of(GetParam().kind);
  constexpr size_t kGuard = 64;
  int found = 0;
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes = good;
    bytes.resize(1 + random() % good.size());
    for (auto changes = random() % 3; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    }
    const size_t icmp = bytes[0] >> 4 == 6 ? 40 : (bytes[0] & 15) * 4u;
    if (bytes.size() >= icmp + 4) {
      seal(bytes);
    }
    Bytes guarded = bytes;
    guarded.resize(bytes.size() + kGuard, 0xcc);
    NatPacket packet = view_of(guarded);
    packet.length = static_cast<uint16_t>(bytes.size());
    packet.is_v6 = good[0] >> 4 == 6;
    if (const auto quote = parse_quote(packet)) {
      ++found;
      ASSERT_LE(quote->l4 + 8u, bytes.size());
      translate(packet, *quote, GetParam(), session);
    }
    ASSERT_TRUE(std::all_of(guarded.end() - kGuard, guarded.end(), [](uint8_t b) { return b == 0xcc; }));
  }
  EXPECT_GT(found, 100);
}

TEST_P(NatErrors, GoNoFurtherWhenTheirTimeIsUp) {
  Bytes bytes = bytes_of(GetParam().before);
  bytes[bytes[0] >> 4 == 6 ? 7 : 8] = 1;
  const Bytes before = bytes;
  NatPacket packet = view_of(bytes);
  const auto quote = parse_quote(packet);
  ASSERT_TRUE(quote);
  EXPECT_EQ(translate(packet, *quote, GetParam(), session_of(GetParam().kind)), NatResult::kTtlExceeded);
  EXPECT_EQ(bytes, before);
}

INSTANTIATE_TEST_SUITE_P(Translate, NatErrors, ::testing::ValuesIn(nat_packets::kErrors),
                         [](const auto& info) { return info.param.name; });

TEST(NatQuote, IsOnlyOfErrors) {
  Bytes bytes = bytes_of(nat_packets::kErrors[0].before);
  for (int type = 0; type < 256; ++type) {
    bytes[20] = static_cast<uint8_t>(type);
    seal(bytes);
    EXPECT_EQ(parse_quote(view_of(bytes)).has_value(), type == 3 || type == 11 || type == 12) << type;
  }
}

TEST(NatQuote, IsOnlyOfWhatTheReceiverSent) {
  for (const size_t which : {0u, 5u}) {
    Bytes bytes = bytes_of(nat_packets::kErrors[which].before);
    ASSERT_TRUE(parse_quote(view_of(bytes)));
    const size_t last_of_destination = bytes[0] >> 4 == 6 ? 39 : 19;
    bytes[last_of_destination] ^= 1;
    seal(bytes);
    EXPECT_FALSE(parse_quote(view_of(bytes)));
  }
}

TEST(NatQuote, IsNotOfVersionFourInsideVersionSix) {
  Bytes bytes = bytes_of(nat_packets::kErrors[5].before);
  const IpAddress mapped = IpAddress::parse("10.0.0.9").value();
  std::copy(mapped.bytes.begin(), mapped.bytes.end(), bytes.begin() + 24);  // to
  std::copy(mapped.bytes.begin(), mapped.bytes.end(), bytes.begin() + 56);  // quoted from
  seal(bytes);
  EXPECT_FALSE(parse_quote(view_of(bytes)));
}

TEST(NatQuote, IsNotOfALaterFragmentNorInOne) {
  Bytes inner = bytes_of(nat_packets::kErrors[0].before);
  inner[28 + 7] = 1;
  seal(inner);
  EXPECT_FALSE(parse_quote(view_of(inner)));
  Bytes outer = bytes_of(nat_packets::kErrors[0].before);
  outer[6] = 0x20;
  EXPECT_FALSE(parse_quote(view_of(outer)));
}

}  // namespace
}  // namespace maglb
