#include "lib/net/tcp_options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "lib/net/checksum.h"

namespace maglb {
namespace {

using Bytes = std::vector<uint8_t>;

const IpAddress kClient = IpAddress::v4({198, 51, 100, 7});
const IpAddress kServer = IpAddress::v4({192, 0, 2, 10});

void fill_checksum(Bytes& tcp) {
  header_at<TcpHeader>(tcp.data()).checksum = Be16(0);
  header_at<TcpHeader>(tcp.data()).checksum = transport_checksum(kClient, kServer, kProtocolTcp, tcp);
}

// Options padded with zeros, an odd payload behind them, the checksum in order.
Bytes segment(uint8_t flags, Bytes options) {
  options.resize((options.size() + 3) / 4 * 4);
  TcpHeader header;
  header.source_port = Be16(40000);
  header.destination_port = Be16(443);
  header.sequence = Be32(0x12345678);
  header.offset_reserved = static_cast<uint8_t>((5 + options.size() / 4) << 4);
  header.flags = flags;
  const Bytes payload{'o', 'd', 'd'};
  Bytes tcp(sizeof header + options.size() + payload.size());
  std::memcpy(tcp.data(), &header, sizeof header);
  std::copy(options.begin(), options.end(), tcp.begin() + sizeof header);
  std::copy(payload.begin(), payload.end(), tcp.end() - 3);
  fill_checksum(tcp);
  return tcp;
}

bool intact(const Bytes& tcp) {
  return transport_checksum_holds(kClient, kServer, kProtocolTcp, tcp);
}

std::vector<uint8_t> kinds(const Bytes& tcp) {
  std::vector<uint8_t> seen;
  TcpOptionWalk walk(tcp);
  while (const auto option = walk.next()) {
    seen.push_back(static_cast<uint8_t>(option->kind));
  }
  return seen;
}

// What Linux puts into a SYN.
const Bytes kLinuxSyn{2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7};

TEST(TcpOptionWalk, SeesWhatLinuxSends) {
  EXPECT_EQ(kinds(segment(kTcpSyn, kLinuxSyn)), (std::vector<uint8_t>{2, 4, 8, 3}));
}

TEST(TcpOptionWalk, EndsAtWhatCannotBe) {
  EXPECT_EQ(kinds(segment(0, {})), std::vector<uint8_t>{});
  EXPECT_EQ(kinds(segment(0, {4, 2, 0, 2, 4, 5, 0xb4})), std::vector<uint8_t>{4});   // end of options
  EXPECT_EQ(kinds(segment(0, {4, 2, 99, 0, 4, 2})), std::vector<uint8_t>{4});        // length 0
  EXPECT_EQ(kinds(segment(0, {4, 2, 99, 1, 4, 2})), std::vector<uint8_t>{4});        // length 1
  EXPECT_EQ(kinds(segment(0, {4, 2, 99, 7, 4, 2, 1, 1})), std::vector<uint8_t>{4});  // one byte too long
  EXPECT_EQ(kinds(segment(0, {1, 1, 1, 2})), std::vector<uint8_t>{});                // a kind and no length
  EXPECT_EQ(kinds(segment(0, {2, 3, 5, 4, 2})), std::vector<uint8_t>{});             // MSS of one byte
  EXPECT_EQ(kinds(segment(0, {5, 2, 4, 2})), std::vector<uint8_t>{});                // SACK without blocks
  EXPECT_EQ(kinds(segment(0, {5, 6, 1, 2, 3, 4})), std::vector<uint8_t>{});          // half a block
}

TEST(TcpOptionWalk, NeedsTheWholeHeader) {
  const Bytes whole = segment(kTcpSyn, kLinuxSyn);
  for (size_t length = 0; length < 40; ++length) {
    EXPECT_TRUE(kinds(Bytes(whole.begin(), whole.begin() + static_cast<int>(length))).empty()) << length;
  }
  EXPECT_EQ(kinds(Bytes(whole.begin(), whole.begin() + 40)).size(), 4u);
  Bytes short_offset = whole;
  for (uint8_t words = 0; words < 5; ++words) {
    short_offset[12] = static_cast<uint8_t>(words << 4);
    EXPECT_TRUE(kinds(short_offset).empty());
  }
}

TEST(TcpOptionWalk, SeesFortyBytesOfOptions) {
  Bytes most;
  for (int i = 0; i < 20; ++i) {
    most.insert(most.end(), {4, 2});
  }
  EXPECT_EQ(kinds(segment(0, most)).size(), 20u);
  EXPECT_TRUE(kinds(segment(0, Bytes(40, 1))).empty());
}

TEST(MssOption, GivesPositionAndValue) {
  const auto mss = mss_option(segment(kTcpSyn, {1, 4, 2, 2, 4, 0x05, 0xb4}));
  ASSERT_TRUE(mss);
  EXPECT_EQ(mss->offset, 25);
  EXPECT_EQ(mss->value, 1460);
  EXPECT_FALSE(mss_option(segment(kTcpSyn, {4, 2})));
}

TEST(ClampMss, LowersAndKeepsTheChecksum) {
  for (size_t nops = 0; nops < 4; ++nops) {
    Bytes options(nops, 1);
    options.insert(options.end(), {2, 4, 0x05, 0xb4});
    for (const uint8_t flags : {kTcpSyn, uint8_t{kTcpSyn | kTcpAck}}) {
      Bytes tcp = segment(flags, options);
      EXPECT_TRUE(clamp_mss(tcp, 1340));
      EXPECT_EQ(mss_option(tcp)->value, 1340);
      EXPECT_TRUE(intact(tcp)) << nops;
    }
  }
}

TEST(ClampMss, LowersEveryOne) {
  Bytes tcp = segment(kTcpSyn, {2, 4, 0x05, 0xb4, 2, 4, 0x01, 0x00, 2, 4, 0xff, 0xff});
  EXPECT_TRUE(clamp_mss(tcp, 1000));
  EXPECT_EQ(header_at<Be16>(tcp.data() + 22).host(), 1000);
  EXPECT_EQ(header_at<Be16>(tcp.data() + 26).host(), 256);
  EXPECT_EQ(header_at<Be16>(tcp.data() + 30).host(), 1000);
  EXPECT_TRUE(intact(tcp));
}

TEST(ClampMss, NeverRaisesNorTouchesOtherSegments) {
  for (const Bytes& untouched :
       {segment(kTcpSyn, {2, 4, 0x05, 0xb4}), segment(kTcpSyn, {4, 2}), segment(kTcpAck, {2, 4, 0xff, 0xff}),
        segment(kTcpSyn, {99, 9, 2, 4, 0xff, 0xff}), segment(kTcpSyn, {2, 3, 2, 4, 0xff, 0xff})}) {
    Bytes tcp = untouched;
    EXPECT_FALSE(clamp_mss(tcp, 1460));
    EXPECT_EQ(tcp, untouched);
  }
  Bytes stump(19, 0xff);
  EXPECT_FALSE(clamp_mss(stump, 1));
}

TEST(ShiftSack, ShiftsEveryEdgeThereAndBack) {
  for (size_t nops = 0; nops < 4; ++nops) {
    Bytes options(nops, 1);
    options.insert(options.end(), {5, 18, 0xff, 0xff, 0xff, 0xf0, 0, 0, 0, 5, 0, 1, 0, 0, 0, 1, 0, 9});
    const Bytes before = segment(kTcpAck, options);
    Bytes tcp = before;
    EXPECT_EQ(shift_sack(tcp, 0x20), 2u);
    const uint8_t* const edges = tcp.data() + 22 + nops;
    EXPECT_EQ(header_at<Be32>(edges).host(), 0x10u);  // past 2^32
    EXPECT_EQ(header_at<Be32>(edges + 4).host(), 0x25u);
    EXPECT_EQ(header_at<Be32>(edges + 8).host(), 0x10020u);
    EXPECT_EQ(header_at<Be32>(edges + 12).host(), 0x10029u);
    EXPECT_TRUE(intact(tcp)) << nops;
    EXPECT_EQ(shift_sack(tcp, -uint32_t{0x20}), 2u);
    EXPECT_EQ(tcp, before);
  }
}

TEST(ShiftSack, LeavesWhatLiesBehindAMalformedOption) {
  Bytes options{5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 99, 1, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4};
  Bytes tcp = segment(kTcpAck, options);
  EXPECT_EQ(shift_sack(tcp, 7), 1u);
  EXPECT_EQ(header_at<Be32>(tcp.data() + 22).host(), 8u);
  EXPECT_EQ(header_at<Be32>(tcp.data() + 34).host(), 3u);
  EXPECT_TRUE(intact(tcp));
}

// Options as the standard draws them: the list of (offset, kind, length), by plain recursion over a copy.
void naive_walk(const Bytes& options, size_t at, std::vector<std::array<size_t, 3>>& seen) {
  if (at >= options.size() || options[at] == 0) {
    return;
  }
  if (options[at] == 1) {
    return naive_walk(options, at + 1, seen);
  }
  if (at + 1 >= options.size() || options[at + 1] < 2 || at + options[at + 1] > options.size()) {
    return;
  }
  const size_t length = options[at + 1];
  if ((options[at] == 2 && length != 4) ||
      (options[at] == 5 && length != 10 && length != 18 && length != 26 && length != 34)) {
    return;
  }
  seen.push_back({at + 20, options[at], length});
  naive_walk(options, at + length, seen);
}

TEST(TcpOptions, AgreesWithANaiveModelOnNoise) {
  std::mt19937 random(9293);
  const Bytes usual{0, 1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 10, 18, 26};
  uint32_t clamped = 0;
  uint32_t shifted = 0;
  for (int round = 0; round < 200000; ++round) {
    Bytes options(random() % 11 * 4);
    for (uint8_t& b : options) {
      b = random() % 8 == 0 ? static_cast<uint8_t>(random()) : usual[random() % usual.size()];
    }
    const uint8_t flags = random() % 2 == 0 ? kTcpSyn : kTcpAck;
    const Bytes before = segment(flags, options);
    std::vector<std::array<size_t, 3>> expected;
    naive_walk(options, 0, expected);

    std::vector<std::array<size_t, 3>> seen;
    TcpOptionWalk walk(before);
    while (const auto option = walk.next()) {
      seen.push_back({option->offset, static_cast<size_t>(option->kind), option->length});
    }
    ASSERT_EQ(seen, expected) << round;

    const auto limit = static_cast<uint16_t>(random() % 1200);
    const uint32_t delta = random();
    Bytes clamp_model = before;
    Bytes shift_model = before;
    for (const auto& [offset, kind, length] : expected) {
      auto& mss = header_at<Be16>(clamp_model.data() + offset + 2);
      if (kind == 2 && flags == kTcpSyn && mss.host() > limit) {
        mss = Be16(limit);
      }
      for (size_t edge = offset + 2; kind == 5 && edge < offset + length; edge += 4) {
        auto& value = header_at<Be32>(shift_model.data() + edge);
        value = Be32(value.host() + delta);
      }
    }
    fill_checksum(clamp_model);
    fill_checksum(shift_model);
    Bytes tcp = before;
    ASSERT_EQ(clamp_mss(tcp, limit), clamp_model != before) << round;
    ASSERT_EQ(tcp, clamp_model) << round;
    clamped += clamp_model != before;
    tcp = before;
    shifted += shift_sack(tcp, delta);
    ASSERT_EQ(tcp, shift_model) << round;
  }
  EXPECT_GT(clamped, 1000u);
  EXPECT_GT(shifted, 1000u);
}

}  // namespace
}  // namespace maglb
