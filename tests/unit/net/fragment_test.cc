#include "lib/net/fragment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>

#include "lib/net/parse.h"
#include "tests/unit/net/raw_packets.h"

namespace maglb {
namespace {

using namespace testing;

// Of a packet that parses as a fragment.
std::optional<FragmentFacts> facts_of(const Bytes& frame, ParsedFrame& parsed) {
  if (parse_frame(frame, parsed) != ParseStatus::kPacket || parsed.kind != PacketKind::kFragment) {
    return std::nullopt;
  }
  return fragment_facts(std::span(frame).subspan(parsed.l3_offset, parsed.l3_length));
}

Bytes v4_fragment(size_t offset_bytes, bool more, const Bytes& payload, uint8_t protocol = 17) {
  return testing::frame_of(0x0800, v4(protocol, payload, offset_bytes / 8 | (more ? 0x2000 : 0)));
}
Bytes v6_fragment(size_t offset_bytes, bool more, const Bytes& payload, uint8_t protocol = 17) {
  return testing::frame_of(0x86dd,
                           v6(60, join({options(44), fragment_v6(protocol, offset_bytes, more), payload})));
}

TEST(FragmentFacts, OfIpv4) {
  ParsedFrame parsed;
  const auto facts = facts_of(v4_fragment(1480, true, zeros(720)), parsed);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->id, 0xbeefu);
  EXPECT_EQ(facts->offset_bytes, 1480u);
  EXPECT_EQ(facts->payload_bytes, 720u);
  EXPECT_EQ(facts->payload_offset, 20);
  EXPECT_TRUE(facts->more);
  EXPECT_FALSE(facts->is_first());
  EXPECT_EQ(parsed.key.source_port.host(), 0);
}

TEST(FragmentFacts, OfIpv6) {
  ParsedFrame parsed;
  const auto facts = facts_of(v6_fragment(1448, false, zeros(5)), parsed);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->id, 0xdeadbeefu);
  EXPECT_EQ(facts->offset_bytes, 1448u);
  EXPECT_EQ(facts->payload_bytes, 5u);
  EXPECT_EQ(facts->payload_offset, 40 + 8 + 8);
  EXPECT_FALSE(facts->more);
}

TEST(FragmentFacts, TheFirstHasThePorts) {
  for (const auto make : {v4_fragment, v6_fragment}) {
    ParsedFrame parsed;
    const Bytes datagram = join({be16(40000), be16(53), be16(3000), zeros(10)});
    const auto facts = facts_of(make(0, true, datagram, 17), parsed);
    ASSERT_TRUE(facts);
    EXPECT_TRUE(facts->is_first());
    EXPECT_EQ(parsed.key.source_port.host(), 40000);
    EXPECT_EQ(parsed.key.destination_port.host(), 53);
    EXPECT_EQ(parsed.key.protocol, Protocol::kUdp);
    EXPECT_EQ(facts->payload_bytes, 16u);
  }
}

TEST(FragmentFacts, ADatagramEndsAtByte65535) {
  ParsedFrame parsed;
  for (const auto make : {v4_fragment, v6_fragment}) {
    EXPECT_TRUE(facts_of(make(65528, false, zeros(7), 17), parsed));
    EXPECT_FALSE(facts_of(make(65528, false, zeros(8), 17), parsed));
    EXPECT_FALSE(facts_of(make(65528, true, zeros(8), 17), parsed));
    EXPECT_TRUE(facts_of(make(65520, true, zeros(8), 17), parsed));
  }
}

// Each byte of a datagram comes in exactly one of its fragments, wherever it is cut.
TEST(FragmentFacts, OfEveryCutAddUpToTheDatagram) {
  constexpr uint64_t kSeed = 815;
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 2000; ++i) {
    const auto make = i % 2 == 0 ? v4_fragment : v6_fragment;
    const Bytes datagram = udp(9, 53, zeros(8 + random() % 9000));
    size_t at = 0;
    while (at < datagram.size()) {
      const size_t bytes = std::min<size_t>((1 + random() % 200) * 8, datagram.size() - at);
      const bool more = at + bytes < datagram.size();
      if (at == 0 && !more) {
        break;  // whole
      }
      const auto begin = datagram.begin() + static_cast<ptrdiff_t>(at);
      ParsedFrame parsed;
      const auto facts = facts_of(make(at, more, {begin, begin + static_cast<ptrdiff_t>(bytes)}, 17), parsed);
      ASSERT_TRUE(facts) << "seed " << kSeed << ", datagram " << i << ", at " << at;
      ASSERT_EQ(facts->offset_bytes, at);
      ASSERT_EQ(facts->payload_bytes, bytes);
      ASSERT_EQ(facts->more, more);
      at += bytes;
    }
  }
}

}  // namespace
}  // namespace maglb
