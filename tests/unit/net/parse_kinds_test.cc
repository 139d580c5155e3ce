// Every kind of packet that parse_frame() tells apart, against a model.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "lib/net/fragment.h"
#include "lib/net/icmp_quote.h"
#include "lib/net/parse.h"
#include "tests/unit/net/parse_model.h"
#include "tests/unit/net/raw_packets.h"

namespace maglb {
namespace {

using namespace testing;

struct Sample {
  const char* name;
  ParseStatus status;
  PacketKind kind;
  Bytes frame;
};

Bytes in_v4(const Bytes& packet) {
  return testing::frame_of(0x0800, packet);
}
Bytes in_v6(const Bytes& packet) {
  return testing::frame_of(0x86dd, packet);
}

Bytes many_options(int headers, uint8_t last) {
  Bytes chain;
  for (int i = 1; i < headers; ++i) {
    chain = join({chain, options(60)});
  }
  return join({chain, options(last)});
}

std::vector<Sample> flows() {
  const auto flow = PacketKind::kFlow;
  const auto packet = ParseStatus::kPacket;
  const Bytes web = tcp(40000, 80);
  return {
      {"v4 with options", packet, flow, in_v4(v4(6, tcp(40000, 80, 3), 0x4000, false, 10))},
      {"one tag", packet, flow, testing::frame_of(0x0800, v4(6, web), {{0x8100, 0x6007}})},
      {"two tags", packet, flow, testing::frame_of(0x86dd, v6(17, udp(9, 53)), {{0x88a8, 100}, {0x8100, 7}})},
      {"priority tag", packet, flow, testing::frame_of(0x0800, v4(17, udp(9, 53)), {{0x9100, 0xe000}})},
      {"hop by hop", packet, flow, in_v6(v6(0, join({options(6), web})))},
      {"routing", packet, flow, in_v6(v6(43, join({routing(6, 4), web})))},
      {"destination options", packet, flow, in_v6(v6(60, join({options(17, 3), udp(9, 53)})))},
      {"authentication", packet, flow, in_v6(v6(51, join({authentication(6), web})))},
      {"atomic fragment", packet, flow, in_v6(v6(44, join({fragment_v6(6, 0, false), web})))},
      {"every extension header", packet, flow,
       in_v6(v6(0, join({options(60), options(43), routing(44, 2), fragment_v6(51, 0, false),
                         authentication(60), options(6), web})))},
      {"eight of them", packet, flow, in_v6(v6(60, join({many_options(8, 6), web})))},
      {"512 bytes of them", packet, flow, in_v6(v6(60, join({options(6, 64), web})))},
  };
}

std::vector<Sample> others() {
  const auto packet = ParseStatus::kPacket;
  const auto portless = PacketKind::kPortless;
  const Bytes back = v4(6, tcp(80, 40000), 0x4000, true);
  const Bytes back_v6 = v6(17, udp(53, 9), true);
  return {
      {"echo", packet, PacketKind::kEcho, in_v4(v4(1, icmp(8, 0, 0x1234'0001, zeros(16))))},
      {"echo v6", packet, PacketKind::kEcho, in_v6(v6(58, icmp(128, 0, 0x1234'0001)))},
      {"gre", packet, portless, in_v4(v4(47, zeros(4)))},
      {"esp", packet, portless, in_v6(v6(0, join({options(50), zeros(8)})))},
      {"sctp without a byte", packet, portless, in_v4(v4(132, {}))},
      {"too big", packet, PacketKind::kIcmpError, in_v4(v4(1, icmp(3, 4, 1400, back)))},
      {"time exceeded", packet, PacketKind::kIcmpError,
       in_v4(v4(1, icmp(11, 0, 0, {back.begin(), back.begin() + 28})))},
      {"too big v6", packet, PacketKind::kIcmpError, in_v6(v6(58, icmp(2, 0, 1280, back_v6)))},
      {"quoted chain", packet, PacketKind::kIcmpError,
       in_v6(v6(58, icmp(1, 4, 0, v6(0, join({options(44), fragment_v6(6, 0, true), tcp(80, 9)}), true))))},
      {"quoted echo reply", packet, PacketKind::kIcmpError,
       in_v4(v4(1, icmp(12, 0, 0, v4(1, icmp(0, 0, 0x77'0001), 0, true))))},
      {"first fragment", packet, PacketKind::kFragment,
       in_v4(v4(17, join({be16(9), be16(53), be16(4000), zeros(18)}), 0x2000))},
      {"later fragment", packet, PacketKind::kFragment, in_v4(v4(6, zeros(5), 100))},
      {"fragment of a ping", packet, PacketKind::kFragment, in_v4(v4(1, zeros(16), 0x2000))},
      {"first fragment v6", packet, PacketKind::kFragment,
       in_v6(v6(44, join({fragment_v6(60, 0, true), options(6), tcp(9, 80), zeros(4)})))},
      {"later fragment v6", packet, PacketKind::kFragment,
       in_v6(v6(0, join({options(44), fragment_v6(17, 1448, false), zeros(3)})))},
  };
}

std::vector<Sample> refused() {
  const auto none = PacketKind::kFlow;
  const auto bad = ParseStatus::kBadIpHeader;
  const auto tiny = ParseStatus::kTinyFragment;
  const auto other = ParseStatus::kOther;
  const auto many = ParseStatus::kTooManyHeaders;
  const Bytes web = tcp(40000, 80);
  return {
      {"three tags", other, none,
       testing::frame_of(0x0800, v4(6, web), {{0x88a8, 1}, {0x8100, 2}, {0x8100, 3}})},
      {"no next header", other, none, in_v6(v6(60, join({options(59), zeros(8)})))},
      {"igmp", other, none, in_v4(v4(2, zeros(8)))},
      {"echo reply", other, none, in_v4(v4(1, icmp(0, 0, 0)))},
      {"redirect", other, none, in_v4(v4(1, icmp(5, 0, 0, v4(6, web, 0, true))))},
      {"source quench", other, none, in_v4(v4(1, icmp(4, 0, 0, v4(6, web, 0, true))))},
      {"neighbour solicitation", other, none, in_v6(v6(58, icmp(135, 0, 0, zeros(16))))},
      {"icmpv6 over v4", other, none, in_v4(v4(58, icmp(128, 0, 0)))},
      {"icmp over v6", other, none, in_v6(v6(1, icmp(8, 0, 0)))},
      {"another's quote", other, none, in_v4(v4(1, icmp(3, 4, 0, v4(6, web))))},
      {"quoted later fragment", other, none, in_v4(v4(1, icmp(3, 4, 0, v4(6, web, 1, true))))},
      {"quoted later fragment v6", other, none,
       in_v6(v6(58, icmp(1, 0, 0, v6(44, join({fragment_v6(6, 8, false), web}), true))))},
      {"quoted error", other, none, in_v4(v4(1, icmp(3, 4, 0, v4(1, icmp(3, 4, 0), 0, true))))},
      {"seven bytes quoted", other, none, in_v4(v4(1, icmp(3, 4, 0, v4(6, zeros(7), 0, true))))},
      {"quoted chain too long", other, none,
       in_v6(v6(58, icmp(1, 0, 0, v6(60, join({many_options(9, 6), web}), true))))},
      {"nine headers", many, none, in_v6(v6(60, join({many_options(9, 6), web})))},
      {"520 bytes of headers", many, none, in_v6(v6(60, join({options(6, 65), web})))},
      {"routing type 0", bad, none, in_v6(v6(43, join({routing(6, 0), web})))},
      {"hop by hop second", bad, none, in_v6(v6(60, join({options(0), options(6), web})))},
      {"two fragment headers", bad, none,
       in_v6(v6(44, join({fragment_v6(44, 0, false), fragment_v6(6, 0, false), web})))},
      {"authentication of 8 bytes", bad, none, in_v6(v6(51, join({{6, 0}, zeros(6), web})))},
      {"fragment no multiple of 8", bad, none, in_v4(v4(17, zeros(9), 0x2001))},
      {"fragment beyond 65535", bad, none, in_v4(v4(17, zeros(8), 0x1fff))},
      {"fragment v6 no multiple of 8", bad, none, in_v6(v6(44, join({fragment_v6(17, 16, true), zeros(9)})))},
      {"fragment v6 beyond 65535", bad, none, in_v6(v6(44, join({fragment_v6(17, 65528, false), zeros(8)})))},
      {"tcp at offset 8", tiny, none, in_v4(v4(6, zeros(8), 1))},
      {"tcp at offset 8 v6", tiny, none, in_v6(v6(44, join({fragment_v6(6, 8, false), zeros(8)})))},
      {"tcp header cut", tiny, none, in_v4(v4(6, zeros(16), 0x2000))},
      {"tcp options cut", tiny, none,
       in_v4(v4(6, join({be16(9), be16(80), zeros(8), {0x70, 2}, zeros(10)}), 0x2000))},
      {"udp header cut", tiny, none, in_v6(v6(44, join({fragment_v6(17, 0, true)})))},
      {"chain cut", tiny, none, in_v6(v6(44, join({fragment_v6(60, 0, true), {6, 1, 0, 0, 0, 0, 0, 0}})))},
  };
}

std::vector<Sample> samples() {
  std::vector<Sample> all = flows();
  for (const auto& more : {others(), refused()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

// On a block of its own, so that a read past the end is seen.
ParseStatus parse_alone(const Bytes& here, size_t whole, ParsedFrame& out) {
  const std::unique_ptr<uint8_t[]> block(new uint8_t[here.size()]);
  std::copy(here.begin(), here.end(), block.get());
  return parse_frame({block.get(), here.size()}, whole, out);
}

Bytes of(const IpAddress& address) {
  return {address.bytes.begin(), address.bytes.end()};
}

void expect_fragment(const ParsedFrame& parsed, const ParseModel& model, std::span<const uint8_t> ip) {
  const FragmentFacts facts = fragment_facts(ip);
  EXPECT_EQ(facts.id, model.id);
  EXPECT_EQ(facts.offset_bytes, model.offset);
  EXPECT_EQ(facts.payload_bytes, model.payload);
  EXPECT_EQ(facts.more, model.more);
  EXPECT_EQ(facts.payload_offset + facts.payload_bytes, parsed.l3_length);
}

// True: they agree.
bool expect_as_model(const Bytes& here, size_t whole) {
  ParsedFrame parsed;
  const ParseStatus status = parse_alone(here, whole, parsed);
  const ParseModel model(here, whole);
  EXPECT_EQ(status, model.status);
  if (status != ParseStatus::kPacket || model.status != status) {
    return !::testing::Test::HasFailure();
  }
  EXPECT_EQ(parsed.kind, model.kind);
  EXPECT_EQ(parsed.is_v6, model.is_v6);
  EXPECT_EQ(parsed.l3_offset, model.l3);
  EXPECT_EQ(parsed.l3_length, model.l3_length);
  EXPECT_EQ(parsed.vlan_outer, model.vlan[0]);
  EXPECT_EQ(parsed.vlan_inner, model.vlan[1]);
  EXPECT_EQ(of(parsed.key.source), model.source);
  EXPECT_EQ(of(parsed.key.destination), model.destination);
  EXPECT_EQ(parsed.key.source_port.host(), model.ports[0]);
  EXPECT_EQ(parsed.key.destination_port.host(), model.ports[1]);
  EXPECT_EQ(unsigned(parsed.key.protocol), model.protocol);
  EXPECT_EQ(parsed.key.rest() >> 40, 0u);
  EXPECT_EQ(parsed.tcp_flags, model.flags);
  const auto ip = std::span(here).subspan(parsed.l3_offset);
  if (parsed.kind == PacketKind::kFragment) {
    expect_fragment(parsed, model, ip);
  } else {
    EXPECT_EQ(l4_offset(ip), model.l4 - model.l3);
  }
  if (parsed.kind == PacketKind::kIcmpError) {
    EXPECT_EQ(icmp_quote(ip).offset, model.quote - model.l3);
  }
  return !::testing::Test::HasFailure();
}

TEST(ParseKinds, EverySampleIsWhatItsNameSays) {
  for (const Sample& sample : samples()) {
    SCOPED_TRACE(sample.name);
    ParsedFrame parsed;
    EXPECT_EQ(parse_alone(sample.frame, sample.frame.size(), parsed), sample.status);
    if (sample.status == ParseStatus::kPacket) {
      EXPECT_EQ(parsed.kind, sample.kind);
    }
    expect_as_model(sample.frame, sample.frame.size());
  }
}

TEST(ParseKinds, EverySampleCutAtEveryLengthIsAsTheModelSays) {
  for (const Sample& sample : samples()) {
    SCOPED_TRACE(sample.name);
    for (size_t length = 0; length < sample.frame.size(); ++length) {
      const Bytes cut(sample.frame.begin(), sample.frame.begin() + static_cast<ptrdiff_t>(length));
      ASSERT_TRUE(expect_as_model(cut, length)) << length;
      ASSERT_TRUE(expect_as_model(cut, sample.frame.size())) << length << " bytes at hand";
      ASSERT_TRUE(expect_as_model(cut, sample.frame.size() + 9)) << length << " bytes at hand, padded";
    }
  }
}

TEST(ParseKinds, EverySampleMayHaveTags) {
  for (const Sample& sample : others()) {
    Bytes tagged = sample.frame;
    const Bytes tags = {0x88, 0xa8, 0, 5, 0x81, 0, 0, 6};
    tagged.insert(tagged.begin() + 12, tags.begin(), tags.end());
    ParsedFrame parsed;
    ASSERT_EQ(parse_frame(tagged, parsed), ParseStatus::kPacket) << sample.name;
    EXPECT_EQ(parsed.l3_offset, 22);
    EXPECT_EQ(parsed.vlan_outer, 5);
    EXPECT_EQ(parsed.vlan_inner, 6);
    EXPECT_EQ(parsed.kind, sample.kind);
    expect_as_model(tagged, tagged.size());
  }
}

TEST(ParseKinds, TakesJumboFramesWhoseFirstBufferHasTheHeaders) {
  const Bytes packet = v4(17, udp(9, 53, zeros(kLargestFrame - 14 - 28)));
  const Bytes frame = in_v4(packet);
  ASSERT_EQ(frame.size(), kLargestFrame);
  ParsedFrame parsed;
  ASSERT_EQ(parse_frame(frame, parsed), ParseStatus::kPacket);
  EXPECT_EQ(parsed.l3_length, kLargestFrame - 14);
  const auto first = std::span(frame).first(42);
  EXPECT_EQ(parse_frame(first, frame.size(), parsed), ParseStatus::kPacket);
  EXPECT_EQ(parse_frame(first, frame.size() - 1, parsed), ParseStatus::kTruncated);
  EXPECT_EQ(parse_frame(first.first(41), frame.size(), parsed), ParseStatus::kTruncated);
}

TEST(ParseKinds, AnErrorHasTheKeyOfTheClientsPackets) {
  for (const bool is_v6 : {false, true}) {
    const auto of_client = is_v6 ? in_v6(v6(6, tcp(40000, 80))) : in_v4(v4(6, tcp(40000, 80)));
    const auto error = is_v6 ? in_v6(v6(58, icmp(2, 0, 1280, v6(6, tcp(80, 40000), true))))
                             : in_v4(v4(1, icmp(3, 4, 1280, v4(6, tcp(80, 40000), 0, true))));
    ParsedFrame one;
    ParsedFrame two;
    ASSERT_EQ(parse_frame(of_client, one), ParseStatus::kPacket);
    ASSERT_EQ(parse_frame(error, two), ParseStatus::kPacket);
    EXPECT_EQ(one.key, two.key);
  }
}

TEST(ParseKinds, AnErrorAboutAnEchoReplyHasTheKeyOfTheEcho) {
  for (const bool is_v6 : {false, true}) {
    const auto echo =
        is_v6 ? in_v6(v6(58, icmp(128, 0, 0x0707'0001))) : in_v4(v4(1, icmp(8, 0, 0x0707'0001)));
    const auto error = is_v6 ? in_v6(v6(58, icmp(3, 0, 0, v6(58, icmp(129, 0, 0x0707'0001), true))))
                             : in_v4(v4(1, icmp(11, 0, 0, v4(1, icmp(0, 0, 0x0707'0001), 0, true))));
    ParsedFrame one;
    ParsedFrame two;
    ASSERT_EQ(parse_frame(echo, one), ParseStatus::kPacket);
    ASSERT_EQ(parse_frame(error, two), ParseStatus::kPacket);
    EXPECT_EQ(one.key, two.key);
    EXPECT_EQ(one.key.source_port.host(), 0x0707);
  }
}

// What is likely to matter: any byte of the headers, protocol numbers, lengths, and where the frame ends.
Bytes mutated(const Bytes& sample, std::mt19937_64& random) {
  const auto below = [&](uint64_t limit) { return random() % limit; };
  const uint8_t likely[] = {0, 1, 2, 4, 6, 8, 17, 41, 43, 44, 47, 50, 51, 58, 59, 60, 255};
  Bytes frame = sample;
  const size_t span = std::min<size_t>(frame.size(), 14 + 160) - 12;
  for (uint64_t changes = below(4); changes > 0; --changes) {
    uint8_t& byte = frame[12 + below(span)];
    switch (below(3)) {
      case 0:
        byte = likely[below(std::size(likely))];
        break;
      case 1:
        byte ^= static_cast<uint8_t>(1u << below(8));
        break;
      default:
        byte = static_cast<uint8_t>(byte + below(9) - 4);
    }
  }
  if (frame[12] == 8 && frame[13] == 0 && below(4) != 0) {
    const size_t header = (frame[14] & 15u) * 4;
    if (header >= 12 && 14 + header <= frame.size()) {
      seal_v4(frame, 14);
    }
  }
  if (below(4) == 0) {
    frame.resize(below(frame.size() + 1));
  }
  return frame;
}

TEST(ParseKinds, EveryMutationIsAsTheModelSays) {
  constexpr uint64_t kSeed = 20260521;
  std::mt19937_64 random(kSeed);
  const std::vector<Sample> all = samples();
  std::array<int, 8> statuses = {};
  for (int i = 0; i < 400'000; ++i) {
    const Bytes frame = mutated(all[random() % all.size()].frame, random);
    const size_t whole = frame.size() + (random() % 4 == 0 ? random() % 60 : 0);
    ASSERT_TRUE(expect_as_model(frame, whole)) << "seed " << kSeed << ", frame " << i;
    ParsedFrame parsed;
    ++statuses[static_cast<size_t>(parse_frame(frame, whole, parsed))];
  }
  for (size_t i = 0; i < statuses.size(); ++i) {
    EXPECT_GT(statuses[i], 500) << "status " << i << " was hardly reached";
  }
}

}  // namespace
}  // namespace maglb
