#include "lib/flow/flow_bucket.h"

#include <gtest/gtest.h>

#include <random>

namespace maglb {
namespace {

TEST(FlowValue, KeepsEveryFieldAtItsLimits) {
  for (const uint64_t identity : {uint64_t{0}, ~uint64_t{0}, uint64_t{0xa5a4} << 48}) {
    for (const BackendId backend :
         {BackendId{0, 0}, BackendId{kMaxPoolNumbers - 1, 0}, BackendId{0, kMaxPlaces - 1},
          BackendId{kMaxPoolNumbers - 1, kMaxPlaces - 1}}) {
      for (uint32_t state = 0; state < kFlowStates; ++state) {
        for (const uint32_t bits : {0u, 1u, 0xffffu, 0x10000u, 0x1ffffu}) {
          for (const bool displaced : {false, true}) {
            const FlowDigest digest{1, identity};
            const FlowEntry entry{backend, static_cast<FlowState>(state), Deadline(bits)};
            const FlowValue value(digest, entry, displaced);
            EXPECT_EQ(value.entry(), entry);
            EXPECT_EQ(value.displaced(), displaced);
            EXPECT_TRUE(value.is_of(digest));
            EXPECT_FALSE(value.is_of({1, identity ^ uint64_t{1} << 50}));
            EXPECT_FALSE(value.is_of({1, identity ^ uint64_t{1} << 63}));
            EXPECT_EQ(FlowValue(value.bits() ^ FlowValue::kDisplaced).entry(), entry);
          }
        }
      }
    }
  }
}

TEST(FlowBucket, NoTagMeansEmpty) {
  EXPECT_NE(tag_of({0, 0}), 0u);
  EXPECT_NE(tag_of({0, uint64_t{5} << 32}), 0u);
  EXPECT_EQ(tag_of({0, 0x1234567890abcdef}), 0x90abcdefu);
}

template <typename Match>
void expect_same(Match match) {
  std::mt19937_64 random(29);
  for (int i = 0; i < 200'000; ++i) {
    FlowBucket bucket;
    const uint32_t tag = static_cast<uint32_t>(random()) | 1;
    uint32_t expected = 0;
    for (size_t place = 0; place < kBucketPlaces; ++place) {
      const uint64_t kind = random() % 4;
      bucket.tags[place] = kind == 0   ? tag
                           : kind == 1 ? tag ^ (1u << random() % 32)
                           : kind == 2 ? 0
                                       : static_cast<uint32_t>(random());
      expected |= uint32_t{bucket.tags[place] == tag} << place;
      bucket.values[place] = uint64_t{tag} << 32 | tag;
    }
    bucket.control = random() % 2 == 0 ? tag : static_cast<uint32_t>(random());
    ASSERT_EQ(match(bucket, tag), expected);
    ASSERT_EQ(match_tags_portable(bucket, tag), expected);
  }
}

TEST(FlowBucket, MatchesTagsAndNothingElse) {
  expect_same(match_tags_portable);
}

TEST(FlowBucket, MatchesTheSameWithAvx2) {
  if (!cpu_has(Isa::kAvx2)) {
    GTEST_SKIP() << "this CPU has not the instructions of avx2";
  }
  expect_same(match_tags_avx2);
}

TEST(FlowBucket, MatchesTheSameWithAvx512) {
  if (!cpu_has(Isa::kAvx512)) {
    GTEST_SKIP() << "this CPU has not the instructions of avx512";
  }
  expect_same(match_tags_avx512);
}

}  // namespace
}  // namespace maglb
