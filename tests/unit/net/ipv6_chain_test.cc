#include "lib/net/ipv6_chain.h"

#include <gtest/gtest.h>

#include "tests/unit/net/raw_packets.h"

namespace maglb {
namespace {

using namespace testing;

ChainStatus walk(const Bytes& ip, Ipv6Chain& chain) {
  return walk_chain(ip, ip.size(), chain);
}

TEST(Ipv6Chain, OfNoneEndsBehindTheIpHeader) {
  Ipv6Chain chain;
  ASSERT_EQ(walk(v6(6, {}), chain), ChainStatus::kWhole);
  EXPECT_EQ(chain.end, 40);
  EXPECT_EQ(chain.protocol, 6);
  EXPECT_EQ(chain.fragment, 0);
  EXPECT_FALSE(chain.is_fragment());
}

TEST(Ipv6Chain, CountsEachHeaderInItsOwnUnit) {
  Ipv6Chain chain;
  const Bytes packet = v6(
      0, join({options(60, 2), options(43), routing(44, 3), fragment_v6(51, 0, false), authentication(17)}));
  ASSERT_EQ(walk(packet, chain), ChainStatus::kWhole);
  EXPECT_EQ(chain.end, 40 + 16 + 8 + 24 + 8 + 24);
  EXPECT_EQ(chain.end, packet.size());
  EXPECT_EQ(chain.protocol, 17);
  EXPECT_EQ(chain.fragment, 40 + 16 + 8 + 24);
  EXPECT_FALSE(chain.is_fragment()) << "atomic";
}

TEST(Ipv6Chain, EndsAtALaterFragment) {
  Ipv6Chain chain;
  ASSERT_EQ(walk(v6(44, join({fragment_v6(60, 1448, true), zeros(8)})), chain), ChainStatus::kWhole);
  EXPECT_EQ(chain.end, 48);
  EXPECT_EQ(chain.protocol, 60) << "data, not a header";
  EXPECT_EQ(chain.offset_bytes, 1448);
  EXPECT_TRUE(chain.more);
  EXPECT_FALSE(chain.is_first());
}

TEST(Ipv6Chain, IsBoundedInHeadersAndBytes) {
  Ipv6Chain chain;
  Bytes headers;
  for (uint32_t i = 0; i < kMaxChainHeaders; ++i) {
    EXPECT_EQ(walk(v6(60, join({headers, options(6)})), chain), ChainStatus::kWhole) << i + 1;
    headers = join({headers, options(60)});
  }
  EXPECT_EQ(walk(v6(60, join({headers, options(6)})), chain), ChainStatus::kTooMany);
  EXPECT_EQ(walk(v6(60, options(6, kMaxChainBytes / 8)), chain), ChainStatus::kWhole);
  EXPECT_EQ(walk(v6(60, options(6, kMaxChainBytes / 8 + 1)), chain), ChainStatus::kTooMany);
  EXPECT_EQ(walk(v6(60, join({options(60, 32), options(60, 31), options(6, 2)})), chain),
            ChainStatus::kTooMany);
}

TEST(Ipv6Chain, TellsWhatIsBeyondThePacketFromWhatIsNotAtHand) {
  const Bytes packet = v6(60, join({options(51, 2), authentication(6)}));
  Ipv6Chain chain;
  for (size_t size = 40; size < packet.size(); ++size) {
    const auto cut = std::span(packet).first(size);
    EXPECT_EQ(walk_chain(cut, size, chain), ChainStatus::kBeyond) << size;
    EXPECT_EQ(walk_chain(cut, packet.size(), chain), ChainStatus::kNotHere) << size;
  }
  EXPECT_EQ(walk_chain(packet, packet.size() + 100, chain), ChainStatus::kWhole);
}

TEST(Ipv6Chain, RefusesWhatCannotBe) {
  Ipv6Chain chain;
  const Bytes cases[] = {
      v6(60, join({options(0), options(6)})),
      v6(0, join({options(0), options(6)})),
      v6(43, routing(6, 0)),
      v6(44, join({fragment_v6(44, 0, false), fragment_v6(6, 0, false)})),
      v6(51, {6, 0, 0, 0, 0, 0, 0, 0}),
  };
  for (const Bytes& packet : cases) {
    EXPECT_EQ(walk(packet, chain), ChainStatus::kBad);
  }
}

}  // namespace
}  // namespace maglb
