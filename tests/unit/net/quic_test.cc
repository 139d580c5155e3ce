#include "lib/net/quic.h"

#include <gtest/gtest.h>

#include <random>
#include <string_view>
#include <vector>

namespace maglb {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes hex(std::string_view text) {
  Bytes bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoul(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

Bytes joined(Bytes front, const Bytes& back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

// As a server's later packets: 16 protected bytes behind the id.
Bytes short_header(const Bytes& dcid) {
  return joined(joined(Bytes(1, 0x41), dcid), Bytes(16, 0xee));
}

// As a client's Initial, without a source id.
Bytes long_header(const Bytes& dcid, uint32_t version = 1) {
  Bytes packet{0xc3,
               static_cast<uint8_t>(version >> 24),
               static_cast<uint8_t>(version >> 16),
               static_cast<uint8_t>(version >> 8),
               static_cast<uint8_t>(version),
               static_cast<uint8_t>(dcid.size())};
  packet = joined(packet, dcid);
  return joined(packet, Bytes(16, 0));
}

ServerId server(std::string_view text) {
  const Bytes bytes = hex(text);
  ServerId id;
  id.length = static_cast<uint8_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
  return id;
}

// The draft's appendix B.1: config id, server id, nonce, connection id.
TEST(QuicLb, DecodesTheDraftsUnencryptedIds) {
  const std::vector<QuicLbConfig> configs{{0, 3, 4}, {1, 5, 5}};
  for (const auto& [cid, sid] :
       {std::pair{"07c4605e4504cc4f", "c4605e"}, std::pair{"20a350d28b4203487d970b", "a350d28b42"}}) {
    EXPECT_EQ(server_id_of(short_header(hex(cid)), configs), server(sid)) << cid;
    EXPECT_EQ(server_id_of(long_header(hex(cid)), configs), server(sid)) << cid;
  }
}

TEST(QuicLb, KnowsUnroutableIds) {
  const std::vector<QuicLbConfig> configs{{0, 3, 4}, {2, 3, 4}};
  const Bytes routable = hex("07c4605e4504cc4f");
  EXPECT_TRUE(server_id_of(long_header(routable), configs));
  for (const uint8_t config : {1, 3, 4, 5, 6, 7}) {
    Bytes other = routable;
    other[0] = static_cast<uint8_t>(config << 5 | 7);
    EXPECT_FALSE(server_id_of(long_header(other), configs)) << int{config};
    EXPECT_FALSE(server_id_of(short_header(other), configs)) << int{config};
  }
  EXPECT_FALSE(server_id_of(long_header(routable), {}));
}

TEST(QuicLb, NeverRoutesTheReservedConfig) {
  const std::vector<QuicLbConfig> configs{{7, 3, 4}};
  EXPECT_FALSE(server_id_of(short_header(hex("e7c4605e4504cc4f")), configs));
}

// 4.1: "the DCID is not long enough for the decoder to process".
TEST(QuicLb, NeedsTheWholeIdOfALongHeader) {
  const std::vector<QuicLbConfig> configs{{0, 3, 4}};
  const Bytes whole = hex("07c4605e4504cc4f");
  for (size_t length = 0; length < whole.size(); ++length) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<int>(length));
    EXPECT_FALSE(server_id_of(long_header(cut), configs)) << length;
    EXPECT_FALSE(server_id_of(joined({0x41}, cut), configs)) << length;
  }
  // A server may append bytes of its own (5.4).
  EXPECT_EQ(server_id_of(long_header(joined(whole, {1, 2, 3})), configs), server("c4605e"));
}

TEST(QuicLb, TakesTheLargestIds) {
  const std::vector<QuicLbConfig> configs{{6, 15, 4}, {5, 1, 18}};
  const Bytes widest = hex("c0000102030405060708090a0b0c0d0effffffff");
  ASSERT_EQ(widest.size(), 20u);
  EXPECT_EQ(server_id_of(long_header(widest), configs), server("000102030405060708090a0b0c0d0e"));
  EXPECT_EQ(server_id_of(short_header(joined({0xbf, 0x42}, Bytes(18, 9))), configs), server("42"));
}

TEST(QuicLb, IgnoresConfigsThatCannotBe) {
  for (const QuicLbConfig bad :
       {QuicLbConfig{7, 3, 4}, QuicLbConfig{0, 0, 4}, QuicLbConfig{0, 16, 3}, QuicLbConfig{0, 3, 3},
        QuicLbConfig{0, 1, 19}, QuicLbConfig{0, 15, 5}, QuicLbConfig{0, 255, 255}}) {
    EXPECT_FALSE(bad.valid());
    const std::vector<QuicLbConfig> configs{bad};
    EXPECT_FALSE(server_id_of(short_header(Bytes(20, 0)), configs));
  }
}

TEST(ParseQuic, ReadsLongHeaders) {
  const Bytes packet = long_header({1, 2, 3, 4, 5, 6, 7, 8}, 0x6b3343cf);
  const auto quic = parse_quic(packet);
  ASSERT_TRUE(quic);
  EXPECT_TRUE(quic->is_long);
  EXPECT_EQ(quic->version, 0x6b3343cfu);  // version 2 (RFC 9369)
  EXPECT_EQ(Bytes(quic->destination_id.begin(), quic->destination_id.end()), (Bytes{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_TRUE(parse_quic(long_header({}))->destination_id.empty());
}

// The client's Initial of RFC 9001, A.2: its unprotected header.
TEST(ParseQuic, ReadsTheRfcsInitial) {
  const Bytes initial = hex("c300000001088394c8f03e5157080000449e00000002");
  const auto quic = parse_quic(initial);
  ASSERT_TRUE(quic);
  EXPECT_EQ(quic->version, 1u);
  EXPECT_EQ(Bytes(quic->destination_id.begin(), quic->destination_id.end()), hex("8394c8f03e515708"));
}

TEST(ParseQuic, RefusesWhatIsCutOffOrTooLong) {
  EXPECT_FALSE(parse_quic({}));
  const Bytes whole = long_header(Bytes(20, 1));
  for (size_t length = 1; length < 26; ++length) {
    EXPECT_FALSE(parse_quic(std::span(whole).first(length))) << length;
  }
  EXPECT_TRUE(parse_quic(std::span(whole).first(26)));
  EXPECT_FALSE(parse_quic(long_header(Bytes(21, 1))));
  EXPECT_FALSE(parse_quic(long_header(Bytes(255, 1))));
}

TEST(ParseQuic, GivesWhatFollowsAShortHeader) {
  EXPECT_TRUE(parse_quic(Bytes{0x40})->destination_id.empty());
  EXPECT_EQ(parse_quic(Bytes(5, 0x40))->destination_id.size(), 4u);
  EXPECT_EQ(parse_quic(Bytes(1400, 0x40))->destination_id.size(), 20u);
}

// Says where the id has to lie, then cuts it out of a copy, a byte at a time.
std::optional<ServerId> naive_server_id(const Bytes& payload, const std::vector<QuicLbConfig>& configs) {
  const bool is_long = !payload.empty() && payload[0] >= 128;
  const size_t start = is_long ? 6 : 1;
  size_t end = payload.size();
  if (is_long) {
    if (payload.size() < 6 || payload[5] > 20 || payload.size() < size_t{6} + payload[5]) {
      return std::nullopt;
    }
    end = size_t{6} + payload[5];
  }
  for (const QuicLbConfig& config : configs) {
    if (start < end && payload[start] / 32 == config.id) {
      if (end - start < size_t{1} + config.server_id_length + config.nonce_length) {
        return std::nullopt;
      }
      ServerId id;
      id.length = config.server_id_length;
      for (size_t i = 0; i < id.length; ++i) {
        id.bytes[i] = payload[start + 1 + i];
      }
      return id;
    }
  }
  return std::nullopt;
}

TEST(QuicLb, AgreesWithANaiveModelOnNoise) {
  std::mt19937 random(8999);
  uint32_t found = 0;
  for (int round = 0; round < 200000; ++round) {
    std::vector<QuicLbConfig> configs;
    for (uint8_t id = 0; id < 7; ++id) {
      const auto sid = static_cast<uint8_t>(1 + random() % 15);
      const auto nonce = static_cast<uint8_t>(4 + random() % 15);
      if (random() % 2 == 0 && 1 + sid + nonce <= 20) {
        configs.push_back({id, sid, nonce});
      }
    }
    Bytes payload(random() % 40);
    for (uint8_t& b : payload) {
      b = static_cast<uint8_t>(random());
    }
    if (payload.size() > 5) {
      payload[5] = static_cast<uint8_t>(payload[5] % 24);
    }
    const auto expected = naive_server_id(payload, configs);
    ASSERT_EQ(server_id_of(payload, configs), expected) << round;
    found += expected ? 1 : 0;
  }
  EXPECT_GT(found, 10000u);
}

}  // namespace
}  // namespace maglb
