#include "lib/net/ip_fragment.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/unit/net/raw_packets.h"

namespace maglb {
namespace {

using namespace testing;

Bytes from_hex(const std::string& text) {
  Bytes bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}
Bytes part(const Bytes& bytes, size_t from, size_t size) {
  return {bytes.begin() + static_cast<ptrdiff_t>(from), bytes.begin() + static_cast<ptrdiff_t>(from + size)};
}

// The pieces, each in a block of exactly its size. The packet has 8 bytes in front.
std::vector<Bytes> cut(const Bytes& packet, size_t mtu, uint32_t id = 0) {
  Bytes block = join({zeros(8), packet});
  const auto cut = IpCut::of(std::span(block).subspan(8), mtu, id);
  if (!cut) {
    return {};
  }
  std::vector<Bytes> pieces(cut->pieces());
  for (size_t i = 0; i < pieces.size(); ++i) {
    pieces[i].resize(cut->bytes_of(i));
    cut->write(i, pieces[i].data());
  }
  EXPECT_EQ(part(block, 8, packet.size()), packet) << "nothing has changed";
  const uint8_t* const first = cut->keep_first();
  EXPECT_EQ(first, block.data() + 8 - cut->in_front());
  EXPECT_EQ(Bytes(first, first + cut->bytes_of(0)), pieces[0]);
  return pieces;
}

// RFC 791 and RFC 8200 read backwards, a byte at a time: what carries which bytes of which datagram.
struct Reassembly {
  std::map<size_t, uint8_t> payload;  // by offset
  size_t end = 0;                     // 0: the last piece has not come
  bool ok = true;

  void add(size_t offset, const Bytes& bytes, bool more) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      ok &= payload.emplace(offset + i, bytes[i]).second;
    }
    ok &= !more || bytes.size() % 8 == 0;
    end = more ? end : offset + bytes.size();
  }
  Bytes bytes() const {
    Bytes all;
    for (const auto& [offset, byte] : payload) {
      all.push_back(byte);
    }
    return all;
  }
};

Bytes random_bytes(size_t size, std::mt19937_64& random) {
  Bytes bytes(size);
  for (uint8_t& byte : bytes) {
    byte = static_cast<uint8_t>(random());
  }
  return bytes;
}

// What scapy's fragment() and fragment6() make of these.
const char kV4[] =
    "4500003c123400003ffd7c5bc0000201c6336401000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    "2021222324252627";
const char kV6[] =
    "600000000028fd3f20010db800090000000000000000000120010db8010000000000000000000001000102030405060708090a0b"
    "0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627";

TEST(IpCut, CutsIpv4AsScapyDoes) {
  EXPECT_EQ(
      cut(from_hex(kV4), 44),
      (std::vector<Bytes>{
          from_hex("4500002c123420003ffd5c6bc0000201c6336401000102030405060708090a0b0c0d0e0f10111213141516"
                   "17"),
          from_hex("45000024123400033ffd7c70c0000201c633640118191a1b1c1d1e1f2021222324252627")}));
}

TEST(IpCut, CutsIpv6AsScapyDoes) {
  EXPECT_EQ(
      cut(from_hex(kV6), 72, 0xdeadbeef),
      (std::vector<Bytes>{
          from_hex("6000000000202c3f20010db800090000000000000000000120010db8010000000000000000000001fd0000"
                   "01deadbeef000102030405060708090a0b0c0d0e0f1011121314151617"),
          from_hex("6000000000182c3f20010db800090000000000000000000120010db8010000000000000000000001fd0000"
                   "18deadbeef18191a1b1c1d1e1f2021222324252627")}));
}

TEST(IpCut, GoesOnFromAFragmentsOwnOffset) {
  const auto pieces = cut(v4(17, zeros(40), 0x2000 | 100), 44);
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(read16(pieces[0], 6), 0x2000 | 100);
  EXPECT_EQ(read16(pieces[1], 6), 0x2000 | 103) << "more follows the last one, too";
  const auto last = cut(v4(17, zeros(40), 100), 44);
  EXPECT_EQ(read16(last[1], 6), 103);
  EXPECT_TRUE(cut(v4(17, zeros(44), 0x2000 | 100), 44).empty()) << "no multiple of 8 that more follows";
  EXPECT_TRUE(cut(v4(17, zeros(64), 0x1ffc), 44).empty()) << "ends behind byte 65,535";
}

// Record route (7) is not copied, a loose source route (0x83) is; each with what RFC 791 pads it with.
TEST(IpCut, CopiesTheOptionsThatAreToBeCopied) {
  Bytes packet = v4(17, zeros(100), 0, false, 4);
  const Bytes options = {7, 4, 4, 0, 1, 0x83, 7, 4, 10, 9, 8, 7, 0, 0, 0, 0};
  std::copy(options.begin(), options.end(), packet.begin() + 20);
  seal_v4(packet, 0);
  const auto pieces = cut(packet, 80);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0][0], 0x49);
  EXPECT_EQ(part(pieces[0], 20, 16), options);
  for (const size_t i : {1u, 2u}) {
    EXPECT_EQ(pieces[i][0], 0x47);
    EXPECT_EQ(part(pieces[i], 20, 8), (Bytes{0x83, 7, 4, 10, 9, 8, 7, 0}));
    EXPECT_EQ(checksum_of(pieces[i].data(), 28), 0);
  }
  EXPECT_EQ(read16(pieces[1], 6), 0x2000 | 40 / 8);
  EXPECT_EQ(read16(pieces[2], 6), (40 + 48) / 8);
}

TEST(IpCut, KeepsIpv6HeadersThatRoutersReadInFrontOfTheFragmentHeader) {
  // Hop-by-hop, destination, routing, then destination options that are the destination's alone.
  const Bytes headers = join({options(60), options(43), routing(60, 4)});
  const auto pieces = cut(v6(0, join({headers, options(17), zeros(100)})), 152, 7);
  ASSERT_EQ(pieces.size(), 2u);
  for (const Bytes& piece : pieces) {
    EXPECT_EQ(piece[6], 0);
    EXPECT_EQ(part(piece, 40, headers.size() - 24), part(headers, 0, headers.size() - 24));
    EXPECT_EQ(piece[40 + headers.size() - 24], 44) << "the routing header names the fragment header";
    EXPECT_EQ(piece[40 + headers.size()], 60);
  }
}

TEST(IpCut, EveryCutAddsUpToTheDatagram) {
  constexpr uint64_t kSeed = 791;
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 1000; ++round) {
    SCOPED_TRACE("seed " + std::to_string(kSeed) + ", round " + std::to_string(round));
    const bool is_v6 = round % 2 == 1;
    const size_t words = is_v6 ? 0 : random() % 11;
    const size_t mtu = (is_v6 ? 56 : 68) + random() % 1500;
    const Bytes payload = random_bytes(mtu + random() % 9000, random);
    const size_t header = is_v6 ? 40 : 20 + 4 * words;
    const Bytes packet = is_v6 ? v6(17, payload) : v4(17, payload, 0, false, words);
    Reassembly whole;
    const auto pieces = cut(packet, mtu, 0x01020304);
    ASSERT_GE(pieces.size(), 2u);
    for (const Bytes& piece : pieces) {
      ASSERT_LE(piece.size(), mtu);
      if (is_v6) {
        ASSERT_EQ(read16(piece, 4) + 40u, piece.size());
        ASSERT_EQ(part(piece, 44, 4), (Bytes{1, 2, 3, 4}));
        whole.add(read16(piece, 42) & 0xfff8, part(piece, 48, piece.size() - 48), (piece[43] & 1) != 0);
        continue;
      }
      const size_t own = (piece[0] & 15u) * 4;
      ASSERT_EQ(own, whole.payload.empty() ? header : 20) << "options of ones are no options";
      ASSERT_EQ(read16(piece, 2), piece.size());
      ASSERT_EQ(checksum_of(piece.data(), own), 0);
      whole.add((read16(piece, 6) & 0x1fffu) * 8, part(piece, own, piece.size() - own),
                (piece[6] & 0x20) != 0);
    }
    ASSERT_TRUE(whole.ok);
    ASSERT_EQ(whole.end, payload.size());
    ASSERT_EQ(whole.bytes(), payload);
  }
}

TEST(IpCut, LeavesWhatItMayNotCut) {
  EXPECT_TRUE(cut(v4(17, zeros(100)), 120).empty()) << "fits";
  EXPECT_EQ(cut(v4(17, zeros(100)), 119).size(), 2u);
  EXPECT_TRUE(cut(v4(17, zeros(100), 0x4000), 60).empty()) << "DF";
  EXPECT_TRUE(cut(v4(17, zeros(100)), 27).empty()) << "no 8 bytes fit";
  EXPECT_EQ(cut(v4(17, zeros(100)), 28).size(), 13u);
  EXPECT_TRUE(cut(v6(17, zeros(100)), 55).empty());
  EXPECT_EQ(cut(v6(17, zeros(100)), 56).size(), 13u);
  EXPECT_TRUE(cut(v6(44, join({fragment_v6(17, 0, true), zeros(96)})), 80).empty());
  EXPECT_TRUE(cut(v6(0, join({options(44), fragment_v6(17, 0, true), zeros(96)})), 80).empty());
}

TEST(IpCut, TakesAnyBytesForWhatTheyAre) {
  constexpr uint64_t kSeed = 8200;
  std::mt19937_64 random(kSeed);
  int taken = 0;
  for (int round = 0; round < 20000; ++round) {
    const bool is_v6 = random() % 2 == 0;
    Bytes packet = random_bytes(random() % 300, random);
    if (!packet.empty()) {
      packet[0] = static_cast<uint8_t>(is_v6 ? 0x60 : 0x40 | (random() % 16));
    }
    if (packet.size() > 8 && random() % 8 != 0) {  // its own length, else it is refused at once
      write16(packet, is_v6 ? 4 : 2, packet.size() - (is_v6 && packet.size() >= 40 ? 40 : 0));
      packet[6] = is_v6 ? (random() % 2 == 0 ? 0 : 60) : packet[6];
    }
    const size_t mtu = random() % 200;
    for (const Bytes& piece : cut(packet, mtu)) {
      ASSERT_LE(piece.size(), mtu) << "seed " << kSeed << ", round " << round;
      ++taken;
    }
  }
  EXPECT_GT(taken, 1000);
  EXPECT_TRUE(cut({}, 0).empty());
}

}  // namespace
}  // namespace maglb
