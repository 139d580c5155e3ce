#include "lib/flow/flow_table.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace maglb {
namespace {

using std::chrono::seconds;
using Buckets = std::vector<FlowTable::Bucket>;

const Time kStart = seconds(100);
const Tick kNow = Tick::at(kStart);

FlowEntry entry_in(FlowState state, Duration timeout = seconds(60), uint16_t place = 1) {
  return {{2, place}, state, Deadline::after(kStart, timeout)};
}

// Digests as the keyed hash gives them: random, but the same from run to run.
class Digests {
 public:
  explicit Digests(uint64_t seed = 11) : random_(seed) {}
  FlowDigest next() { return {random_(), random_()}; }

 private:
  std::mt19937_64 random_;
};

TEST(FlowTable, HasAPowerOfTwoOfBucketsForTheEntriesAsked) {
  EXPECT_EQ(FlowTable::buckets_for(0), 2u);
  EXPECT_EQ(FlowTable::buckets_for(10), 2u);
  EXPECT_EQ(FlowTable::buckets_for(11), 4u);
  EXPECT_EQ(FlowTable::buckets_for(1'000'000), 262144u);
}

TEST(FlowTable, FindsWhatWasStoredAndNothingElse) {
  Buckets buckets(4);
  FlowTable table(buckets);
  const FlowDigest digest{3, 0x1234567890abcdef};
  FlowEntry entry{{kMaxPoolNumbers - 1, kMaxPlaces - 1}, FlowState::kClosing, Deadline(0xfff0)};
  const Tick now(0xff00);
  ASSERT_TRUE(table.store(digest, entry, now));
  EXPECT_EQ(table.find(digest, now), entry);
  EXPECT_EQ(table.find({3, 0x1234567890abcdee}, now), std::nullopt) << "another tag";
  EXPECT_EQ(table.find({3, 0x9234567890abcdef}, now), std::nullopt) << "another rest";
  entry.state = FlowState::kEstablished;
  entry.backend = {0, 0};
  ASSERT_TRUE(table.store(digest, entry, now));
  EXPECT_EQ(table.find(digest, now), entry);
  EXPECT_EQ(table.size(), 1u);
  table.erase(digest, now);
  table.erase(digest, now);
  EXPECT_EQ(table.find(digest, now), std::nullopt);
  EXPECT_EQ(table.size(), 0u);
}

TEST(FlowTable, AnExpiredEntryIsNotFoundAndGivesItsPlaceAway) {
  Buckets buckets(2);
  FlowTable table(buckets);
  Digests digests;
  for (size_t i = 0; i < table.capacity(); ++i) {
    ASSERT_TRUE(table.store(digests.next(), entry_in(FlowState::kEstablished, seconds(1)), kNow));
  }
  EXPECT_FALSE(table.store(digests.next(), entry_in(FlowState::kEstablished), kNow));
  const Tick later = Tick::at(kStart + seconds(2));
  const FlowDigest digest = digests.next();
  EXPECT_TRUE(table.store(digest, entry_in(FlowState::kEstablished), later));
  EXPECT_TRUE(table.find(digest, later).has_value());
  EXPECT_EQ(table.size(), table.capacity());
}

TEST(FlowTable, CapsOpeningEntriesAtHalfAndLetsThemReplaceEachOther) {
  Buckets buckets(64);
  FlowTable table(buckets);
  Digests digests;
  size_t stored = 0;
  for (size_t i = 0; i < 20 * table.capacity(); ++i) {
    stored += table.store(digests.next(), entry_in(FlowState::kOpening), kNow) ? 1 : 0;
    ASSERT_LE(table.opening(), table.capacity() / 2);
  }
  EXPECT_EQ(table.opening(), table.capacity() / 2);
  EXPECT_GT(stored, 10 * table.capacity());
}

TEST(FlowTable, ReplacesTheOpeningEntryThatWouldExpireFirst) {
  Buckets buckets(2);
  FlowTable table(buckets);
  Digests digests;
  std::vector<FlowDigest> opening;
  for (int i = 0; i < 5; ++i) {
    opening.push_back(digests.next());
    ASSERT_TRUE(table.store(opening.back(), entry_in(FlowState::kOpening, seconds(i == 3 ? 1 : 10)), kNow));
  }
  ASSERT_TRUE(table.store(digests.next(), entry_in(FlowState::kOpening, seconds(10)), kNow));
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(table.find(opening[i], kNow).has_value(), i != 3);
  }
}

TEST(FlowTable, AFloodOfNewFlowsEvictsNoEstablishedOne) {
  for (const size_t established_share : {2u, 4u, 8u}) {
    Buckets buckets(128);
    FlowTable table(buckets);
    Digests digests;
    std::vector<FlowDigest> established;
    while (established.size() < table.capacity() / established_share) {
      const FlowDigest digest = digests.next();
      if (table.store(digest, entry_in(FlowState::kOpening), kNow)) {
        ASSERT_TRUE(table.store(digest, entry_in(FlowState::kEstablished), kNow));
        established.push_back(digest);
      }
    }
    // SYNs and lone ACKs alike arrive as opening entries; some become established and have to fit.
    for (size_t i = 0; i < 10 * table.capacity(); ++i) {
      table.store(digests.next(), entry_in(i % 5 == 0 ? FlowState::kUdp : FlowState::kOpening), kNow);
    }
    for (const FlowDigest& digest : established) {
      ASSERT_TRUE(table.find(digest, kNow).has_value());
    }
  }
}

TEST(FlowTable, AnEstablishedEntryOpensAgainOnlyBelowTheCap) {
  Buckets buckets(2);
  FlowTable table(buckets);
  Digests digests;
  const FlowDigest digest = digests.next();
  const FlowEntry established = entry_in(FlowState::kEstablished);
  ASSERT_TRUE(table.store(digest, established, kNow));
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(table.store(digests.next(), entry_in(FlowState::kOpening), kNow));
  }
  EXPECT_FALSE(table.store(digest, entry_in(FlowState::kOpening), kNow));
  EXPECT_EQ(table.find(digest, kNow), established);
}

TEST(FlowTable, SweepsWhatIsExpiredAndWhatMayNotStay) {
  Buckets buckets(8);
  FlowTable table(buckets);
  Digests digests;
  const FlowDigest expired = digests.next();
  const FlowDigest unwanted = digests.next();
  const FlowDigest staying = digests.next();
  table.store(expired, entry_in(FlowState::kUdp, seconds(1), 7), kNow);
  table.store(unwanted, entry_in(FlowState::kEstablished, seconds(60), 8), kNow);
  table.store(staying, entry_in(FlowState::kOpening, seconds(60), 9), kNow);
  const Tick later = Tick::at(kStart + seconds(2));
  size_t asked = 0;
  const auto keep = [&](const FlowEntry& entry) {
    EXPECT_NE(entry.backend.place, 7) << "an expired entry is nobody's to keep";
    ++asked;
    return entry.backend.place != 8;
  };
  EXPECT_FALSE(table.sweep(7, later, keep));
  EXPECT_TRUE(table.sweep(1, later, keep));
  EXPECT_EQ(asked, 2u);
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(table.opening(), 1u);
  EXPECT_TRUE(table.find(staying, later).has_value());
  EXPECT_FALSE(table.sweep(0, later, keep));
  EXPECT_TRUE(table.sweep(100, later, keep)) << "one call ends one pass at most";
  EXPECT_FALSE(table.sweep(7, later, keep));
}

TEST(FlowTable, VisitsEveryEntryThatIsNotExpired) {
  Buckets buckets(8);
  FlowTable table(buckets);
  Digests digests;
  table.store(digests.next(), entry_in(FlowState::kUdp, seconds(1), 1), kNow);
  table.store(digests.next(), entry_in(FlowState::kEstablished, seconds(60), 2), kNow);
  table.store(digests.next(), entry_in(FlowState::kClosing, seconds(60), 4), kNow);
  uint32_t places = 0;
  table.for_each(Tick::at(kStart + seconds(2)),
                 [&](const FlowEntry& entry) { places += entry.backend.place; });
  EXPECT_EQ(places, 6u);
}

}  // namespace
}  // namespace maglb
