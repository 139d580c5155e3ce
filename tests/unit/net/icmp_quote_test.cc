#include "lib/net/icmp_quote.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "lib/net/parse.h"
#include "tests/unit/net/raw_packets.h"

namespace maglb {
namespace {

using namespace testing;

constexpr uint16_t kGuePort = 6080;

Bytes error_v4(const Bytes& quoted, uint8_t type = 3, uint8_t code = 4, uint32_t rest = 1400) {
  return v4(1, icmp(type, code, rest, quoted));
}
Bytes error_v6(const Bytes& quoted, uint8_t type = 2, uint8_t code = 0, uint32_t rest = 1280) {
  return v6(58, icmp(type, code, rest, quoted));
}
bool is_error(const Bytes& packet) {
  ParsedFrame parsed;
  const Bytes frame = testing::frame_of(packet[0] >> 4 == 4 ? 0x0800 : 0x86dd, packet);
  return parse_frame(frame, parsed) == ParseStatus::kPacket && parsed.kind == PacketKind::kIcmpError;
}

TEST(IcmpQuote, SaysWhereWhatAndTheMtu) {
  const Bytes back = v4(6, tcp(80, 9), 0, true);
  const Bytes error = error_v4(back);
  ASSERT_TRUE(is_error(error));
  const IcmpQuote quote = icmp_quote(error);
  EXPECT_EQ(quote.offset, 28);
  EXPECT_EQ(quote.type, 3);
  EXPECT_EQ(quote.code, 4);
  EXPECT_EQ(quote.mtu, 1400u);
  EXPECT_EQ(icmp_quote(error_v4(back, 3, 1)).mtu, 0u);
  EXPECT_EQ(icmp_quote(error_v4(back, 11, 4)).mtu, 0u);
  EXPECT_EQ(icmp_quote(error_v4(back, 3, 4, 0xffff'0000)).mtu, 0u) << "the upper half is another field";
}

TEST(IcmpQuote, OfIpv6LiesBehindTheExtensionHeaders) {
  const Bytes error = v6(0, join({options(58), icmp(2, 0, 70000, v6(6, tcp(80, 9), true))}));
  ASSERT_TRUE(is_error(error));
  const IcmpQuote quote = icmp_quote(error);
  EXPECT_EQ(quote.offset, 56);
  EXPECT_EQ(quote.mtu, 70000u);
  EXPECT_EQ(icmp_quote(error_v6(v6(6, tcp(80, 9), true), 1, 4)).mtu, 0u);
}

TEST(IcmpQuote, CountsForErrorsOnly) {
  for (int type = 0; type < 256; ++type) {
    const auto number = static_cast<uint8_t>(type);
    EXPECT_EQ(is_error(error_v4(v4(6, tcp(80, 9), 0, true), number)), type == 3 || type == 11 || type == 12);
    EXPECT_EQ(is_error(error_v6(v6(6, tcp(80, 9), true), number)), type >= 1 && type <= 4);
  }
}

TEST(IcmpQuote, NeedsEightBytesBehindTheQuotedHeaders) {
  EXPECT_TRUE(is_error(error_v4(v4(6, zeros(8), 0, true))));
  EXPECT_FALSE(is_error(error_v4(v4(6, zeros(7), 0, true))));
  EXPECT_TRUE(is_error(error_v4(v4(6, zeros(8), 0, true, 10))));
  EXPECT_FALSE(is_error(error_v4(v4(6, zeros(7), 0, true, 10))));
  EXPECT_TRUE(is_error(error_v6(v6(60, join({options(17), zeros(8)}), true))));
  EXPECT_FALSE(is_error(error_v6(v6(60, join({options(17), zeros(7)}), true))));
}

TEST(IcmpQuote, DoesNotLookAtWhatRoutersChange) {
  Bytes quoted = v4(6, tcp(80, 9), 0, true);
  quoted[8] = 1;             // TTL, the checksum left as it was
  write16(quoted, 2, 1500);  // longer than what is quoted of it
  EXPECT_TRUE(is_error(error_v4(quoted)));
}

// --- Tunnels: an error about what we sent from the VIP's address, with a client's packet inside.

Bytes inner_v4() {
  return v4(6, tcp(40000, 80));
}
Bytes inner_v6() {
  return v6(17, udp(40000, 53));
}
Bytes gre(size_t flags, bool is_v6, size_t more_bytes) {
  return join({be16(flags), be16(is_v6 ? 0x86dd : 0x0800), zeros(more_bytes)});
}

struct Tunnel {
  const char* name;
  uint8_t protocol;
  Bytes payload;  // of the outer packet
  bool inner_is_v6;
  size_t inner_at;  // in the payload
};

std::vector<Tunnel> tunnels() {
  const Bytes gue0 = {0x00, 4, 0, 0};
  const Bytes gue0_long = {0x02, 41, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
  return {
      {"ipip", 4, inner_v4(), false, 0},
      {"ip6ip", 41, inner_v6(), true, 0},
      {"gre", 47, join({gre(0, false, 0), inner_v4()}), false, 4},
      {"gre with a key", 47, join({gre(0x2000, true, 4), inner_v6()}), true, 8},
      {"gre with all", 47, join({gre(0xb000, false, 12), inner_v4()}), false, 16},
      {"gue 0", 17, udp(5, kGuePort, join({gue0, inner_v4()})), false, 12},
      {"gue 0 with fields", 17, udp(5, kGuePort, join({gue0_long, inner_v6()})), true, 20},
      {"gue 1", 17, udp(5, kGuePort, inner_v4()), false, 8},
      {"gue 1 v6", 17, udp(5, kGuePort, inner_v6()), true, 8},
  };
}

// The error, and where its quote begins.
std::pair<Bytes, size_t> about(const Tunnel& tunnel, bool outer_v6) {
  return outer_v6 ? std::pair{error_v6(v6(tunnel.protocol, tunnel.payload, true)), size_t{40 + 8}}
                  : std::pair{error_v4(v4(tunnel.protocol, tunnel.payload, 0, true)), size_t{20 + 8}};
}

TEST(TunnelQuote, FindsTheInnerPacketOfEveryTunnel) {
  for (const Tunnel& tunnel : tunnels()) {
    for (const bool outer_v6 : {false, true}) {
      SCOPED_TRACE(tunnel.name);
      const auto [error, quote] = about(tunnel, outer_v6);
      ASSERT_TRUE(is_error(error));
      const auto found = tunnel_quote(error, kGuePort);
      ASSERT_TRUE(found);
      EXPECT_EQ(found->offset, quote + (outer_v6 ? 40 : 20) + tunnel.inner_at);
      EXPECT_EQ(found->is_v6, tunnel.inner_is_v6);
      EXPECT_TRUE(found->has_ports);
      ParsedFrame client;
      const Bytes frame =
          tunnel.inner_is_v6 ? testing::frame_of(0x86dd, inner_v6()) : testing::frame_of(0x0800, inner_v4());
      ASSERT_EQ(parse_frame(frame, client), ParseStatus::kPacket);
      EXPECT_EQ(found->key, client.key) << "as the client sent it";
    }
  }
}

// Cut behind every byte: no error, no inner packet, one without ports, one with them; in this order.
TEST(TunnelQuote, OfEveryLengthSaysNoMoreThanIsThere) {
  for (const Tunnel& tunnel : tunnels()) {
    for (const bool outer_v6 : {false, true}) {
      SCOPED_TRACE(tunnel.name);
      const auto [whole, quote] = about(tunnel, outer_v6);
      const size_t inner = quote + (outer_v6 ? 40 : 20) + tunnel.inner_at;
      const size_t inner_header = tunnel.inner_is_v6 ? 40 : 20;
      for (size_t size = quote; size < whole.size(); ++size) {
        Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
        outer_v6 ? write16(cut, 4, size - 40) : write16(cut, 2, size);
        if (!outer_v6) {
          seal_v4(cut, 0);
        }
        const size_t least = quote + (outer_v6 ? 40 : 20) + 8;
        ASSERT_EQ(is_error(cut), size >= least) << size;
        if (size >= least) {
          const auto found = tunnel_quote(cut, kGuePort);
          ASSERT_EQ(found.has_value(), size >= inner + inner_header) << size;
          ASSERT_TRUE(!found || found->has_ports == (size >= inner + inner_header + 8)) << size;
        }
      }
    }
  }
}

TEST(TunnelQuote, DoesNotTakePaddingForAQuote) {
  Bytes error = error_v4(v4(4, inner_v4(), 0, true));
  error.resize(20 + 8 + 20 + 20 + 4);
  write16(error, 2, error.size());
  seal_v4(error, 0);
  error.resize(error.size() + 30);
  const auto found = tunnel_quote(error, kGuePort);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->has_ports);
}

TEST(TunnelQuote, IsNothingForWhatIsNoTunnel) {
  const Bytes gue_control = {0x20, 4, 0, 0};
  const Bytes gue_version_2 = {0x80, 4, 0, 0};
  const Bytes gue_other = {0x00, 6, 0, 0};
  const Tunnel cases[] = {
      {"tcp", 6, tcp(80, 9), false, 0},
      {"udp to another port", 17, udp(5, kGuePort + 1, inner_v4()), false, 0},
      {"gue control", 17, udp(5, kGuePort, join({gue_control, inner_v4()})), false, 0},
      {"gue variant 2", 17, udp(5, kGuePort, join({gue_version_2, inner_v4()})), false, 0},
      {"gue of tcp", 17, udp(5, kGuePort, join({gue_other, inner_v4()})), false, 0},
      {"gre version 1", 47, join({gre(0x2001, false, 4), inner_v4()}), false, 0},
      {"gre with routing", 47, join({gre(0x4000, false, 4), inner_v4()}), false, 0},
      {"gre of ethernet", 47, join({{0, 0, 0x65, 0x58}, zeros(60)}), false, 0},
      {"ipip that holds ipv6", 4, inner_v6(), false, 0},
      {"ip6ip that holds ipv4", 41, join({inner_v4(), zeros(20)}), false, 0},
  };
  for (const Tunnel& tunnel : cases) {
    const Bytes error = about(tunnel, false).first;
    ASSERT_TRUE(is_error(error)) << tunnel.name;
    EXPECT_FALSE(tunnel_quote(error, kGuePort)) << tunnel.name;
  }
}

TEST(TunnelQuote, OfALaterInnerFragmentHasNoPorts) {
  const auto v4_found = tunnel_quote(error_v4(v4(4, v4(17, zeros(16), 3), 0, true)), kGuePort);
  ASSERT_TRUE(v4_found);
  EXPECT_FALSE(v4_found->has_ports);
  const Bytes later = v6(44, join({fragment_v6(17, 16, false), zeros(16)}));
  const auto v6_found = tunnel_quote(error_v4(v4(41, later, 0, true)), kGuePort);
  ASSERT_TRUE(v6_found);
  EXPECT_FALSE(v6_found->has_ports);
  EXPECT_EQ(v6_found->key.source_port.host(), 0);
}

// Run under the sanitizers this finds a read past the end.
TEST(TunnelQuote, StaysInsideAnyError) {
  constexpr uint64_t kSeed = 47;
  std::mt19937_64 random(kSeed);
  const auto all = tunnels();
  int found = 0;
  for (int i = 0; i < 300'000; ++i) {
    Bytes packet = about(all[random() % all.size()], random() % 2 == 0).first;
    const bool is_v6 = packet[0] >> 4 == 6;
    for (uint64_t changes = random() % 4; changes > 0; --changes) {
      packet[(is_v6 ? 48 : 28) + random() % (packet.size() - (is_v6 ? 48 : 28))] =
          static_cast<uint8_t>(random());
    }
    const std::unique_ptr<uint8_t[]> block(new uint8_t[packet.size()]);
    std::copy(packet.begin(), packet.end(), block.get());
    if (!is_error(packet)) {
      continue;
    }
    if (const auto quote = tunnel_quote({block.get(), packet.size()}, kGuePort)) {
      ++found;
      ASSERT_EQ(packet.at(quote->offset) >> 4, quote->is_v6 ? 6 : 4) << "seed " << kSeed << ", packet " << i;
    }
  }
  EXPECT_GT(found, 100'000);
}

}  // namespace
}  // namespace maglb
