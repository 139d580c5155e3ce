// The table nearly full: how much it takes, what moving entries keeps, and that nothing is lost by it.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "lib/flow/flow_table.h"

namespace maglb {
namespace {

using std::chrono::seconds;
using Buckets = std::vector<FlowTable::Bucket>;

const Time kStart = seconds(100);
const Tick kNow = Tick::at(kStart);

FlowEntry established(uint16_t place = 1, Duration timeout = seconds(600)) {
  return {{2, place}, FlowState::kEstablished, Deadline::after(kStart, timeout)};
}

bool keep_all(const FlowEntry&) {
  return true;
}

void expect_full_enough(size_t entries, uint64_t seed) {
  SCOPED_TRACE(std::to_string(entries) + " entries, seed " + std::to_string(seed));
  Buckets buckets(FlowTable::buckets_for(entries));
  FlowTable table(buckets);
  std::mt19937_64 random(seed);
  while (table.store({random(), random()}, established(), kNow)) {
  }
  const double occupancy = static_cast<double>(table.size()) / static_cast<double>(table.capacity());
  ::testing::Test::RecordProperty("percent_of_" + std::to_string(entries), static_cast<int>(100 * occupancy));
  EXPECT_GE(occupancy, 0.85);
  EXPECT_LE(
      static_cast<double>(buckets.size() * sizeof(FlowTable::Bucket)) / static_cast<double>(table.size()),
      16.0);
}

TEST(FlowTableLoad, IsMostlyFullBeforeTheFirstRefusal) {
  for (const size_t entries : {1'000u, 65'536u, 1'000'000u}) {
    for (uint64_t seed = 1; seed <= (entries < 1'000'000 ? 8 : 2); ++seed) {
      expect_full_enough(entries, seed);
    }
  }
}

TEST(FlowTableLoad, IsMostlyFullBeforeTheFirstRefusalWhereverTheSweepIs) {
  for (const size_t entries : {1'000u, 65'536u, 1'000'000u}) {
    for (const size_t eighth : {1u, 2u, 4u, 6u, 7u}) {
      SCOPED_TRACE(std::to_string(entries) + " entries, swept eighths " + std::to_string(eighth));
      Buckets buckets(FlowTable::buckets_for(entries));
      FlowTable table(buckets);
      std::mt19937_64 random(eighth);
      table.sweep(buckets.size() / 8 * eighth, kNow, keep_all);
      while (table.store({random(), random()}, established(), kNow)) {
      }
      EXPECT_GE(table.size() * 100, table.capacity() * 85);
    }
  }
}

TEST(FlowTableLoad, APassSeesEveryEntryThatWasThereWhenItBegan) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    Buckets buckets(1024);
    FlowTable table(buckets);
    std::mt19937_64 random(seed);
    constexpr uint16_t kRemoved = 7;
    std::vector<FlowDigest> removed;
    while (table.size() < table.capacity() / 100 * 70) {
      const FlowDigest digest{random(), random()};
      const bool is_removed = random() % 2 == 0;
      if (table.store(digest, established(is_removed ? kRemoved : 1), kNow) && is_removed) {
        removed.push_back(digest);
      }
    }
    const auto keep = [](const FlowEntry& entry) { return entry.backend.place != kRemoved; };
    // The pass goes on while new flows arrive, some of which push others about.
    bool ended = false;
    for (int slice = 0; !ended; ++slice) {
      ended = table.sweep(8, kNow, keep);
      for (int i = 0; i < 40 && table.size() < table.capacity() / 100 * 86; ++i) {
        table.store({random(), random()}, established(2), kNow);
      }
    }
    for (const FlowDigest& digest : removed) {
      ASSERT_EQ(table.find(digest, kNow), std::nullopt) << "seed " << seed;
    }
    table.for_each(kNow, [&](const FlowEntry& entry) { ASSERT_NE(entry.backend.place, kRemoved); });
  }
}

// The same at once: 84 % of old entries, half of the pass, everything that still fits, the other half. Where
// entries had to move behind the sweep its pass does not count, and the next one has seen them.
TEST(FlowTableLoad, APassThatEntriesHaveMovedBehindDoesNotCount) {
  int not_counted = 0;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    Buckets buckets(1024);
    FlowTable table(buckets);
    std::mt19937_64 random(seed);
    constexpr uint16_t kRemoved = 7;
    while (table.size() < table.capacity() * 84 / 100) {
      table.store({random(), random()}, established(kRemoved), kNow);
    }
    const size_t before = table.size();
    size_t seen = 0;
    const auto count = [&](const FlowEntry& entry) {
      seen += entry.backend.place == kRemoved ? 1 : 0;
      return true;
    };
    ASSERT_FALSE(table.sweep(512, kNow, count));
    for (size_t i = 0; i < table.capacity(); ++i) {
      table.store({random(), random()}, established(2), kNow);
    }
    if (!table.sweep(512, kNow, count)) {
      ++not_counted;
      seen = 0;
      ASSERT_TRUE(table.sweep(1024, kNow, count));
    }
    EXPECT_GE(seen, before) << "seed " << seed;
  }
  EXPECT_GT(not_counted, 0) << "or this shows nothing";
}

TEST(FlowTableLoad, EveryPassCountsWhileEntriesMayNotMoveBehind) {
  Buckets buckets(1024);
  FlowTable table(buckets);
  table.let_move_behind(false);
  std::mt19937_64 random(3);
  while (table.size() < table.capacity() * 80 / 100) {
    table.store({random(), random()}, established(), kNow);
  }
  for (int pass = 0; pass < 4; ++pass) {
    ASSERT_FALSE(table.sweep(512, kNow, keep_all));
    for (size_t i = 0; i < table.capacity(); ++i) {
      table.store({random(), random()}, established(), kNow);
    }
    ASSERT_TRUE(table.sweep(512, kNow, keep_all));
  }
}

class Churn {
 public:
  Churn(size_t buckets, uint64_t seed) : buckets_(buckets), table_(buckets_), random_(seed) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
    }
  }

  template <typename Match>
  void expect_found_by(Match match) {
    for (const auto& [number, flow] : flows_) {
      const auto* const found = table_.probe(flow.digest, match);
      ASSERT_NE(found, nullptr);
      ASSERT_EQ(FlowValue(found->load()).entry(), flow.entry);
      ASSERT_EQ(table_.find(flow.digest, kNow), flow.entry);
    }
    for (int i = 0; i < 10'000; ++i) {
      const FlowDigest unknown{random_(), random_()};
      ASSERT_EQ(table_.probe(unknown, match), nullptr);
      ASSERT_EQ(table_.find(unknown, kNow), std::nullopt);
    }
  }

  // Bucket by bucket: a place in use is counted once, and every overflow has its entry.
  void expect_counts_hold() const {
    size_t used = 0;
    size_t displaced = 0;
    size_t overflow = 0;
    bool saturated = false;
    for (const FlowBucket& bucket : buckets_) {
      for (size_t i = 0; i < kBucketPlaces; ++i) {
        const bool in_use = bucket.tags[i].load() != 0;
        used += in_use ? 1 : 0;
        displaced += in_use && FlowValue(bucket.values[i].load()).displaced() ? 1 : 0;
      }
      const uint32_t count = bucket.control.load() & 0xff;
      saturated = saturated || count == 0xff;
      overflow += count;
      EXPECT_EQ(bucket.control.load() >> 8 & 1, 0u) << "no version stays odd";
    }
    EXPECT_EQ(used, table_.size());
    EXPECT_EQ(used, flows_.size());
    EXPECT_TRUE(saturated || overflow == displaced) << overflow << " " << displaced;
    EXPECT_GT(displaced, 0u);
  }

  const FlowTable& table() const { return table_; }

 private:
  struct Flow {
    FlowDigest digest;
    FlowEntry entry;
  };

  void step() {
    const bool erase = !flows_.empty() && flows_.size() * 100 > table_.capacity() * (80 + random_() % 6);
    if (erase) {
      const auto at = flows_.lower_bound(random_());
      const auto victim = at == flows_.end() ? flows_.begin() : at;
      table_.erase(victim->second.digest, kNow);
      flows_.erase(victim);
      return;
    }
    const uint64_t number = random_();
    const Flow flow{{random_(), number}, established(static_cast<uint16_t>(random_() % 1000))};
    if (table_.store(flow.digest, flow.entry, kNow)) {
      flows_.emplace(number, flow);
    }
    if (random_() % 16 == 0) {
      table_.sweep(1, kNow, keep_all);
    }
  }

  Buckets buckets_;
  FlowTable table_;
  std::mt19937_64 random_;
  std::map<uint64_t, Flow> flows_;
};

TEST(FlowTableLoad, ChurnLosesNothing) {
  for (const size_t buckets : {2u, 4u, 8u, 64u, 4096u}) {
    SCOPED_TRACE(buckets);
    Churn churn(buckets, buckets);
    churn.run(buckets < 4096 ? 100'000 : 400'000);
    churn.expect_counts_hold();
    churn.expect_found_by(match_tags_portable);
    if (cpu_has(Isa::kAvx2)) {
      churn.expect_found_by(match_tags_avx2);
    }
    if (cpu_has(Isa::kAvx512)) {
      churn.expect_found_by(match_tags_avx512);
    }
  }
}

TEST(FlowTableLoad, AFloodIntoAFullTableNeverTakesAnEstablishedFlowsPlace) {
  Buckets buckets(256);
  FlowTable table(buckets);
  std::mt19937_64 random(31);
  std::vector<FlowDigest> kept;
  for (FlowDigest digest{random(), random()}; table.store(digest, established(), kNow);
       digest = {random(), random()}) {
    kept.push_back(digest);
  }
  for (size_t i = 0; i < 50 * table.capacity(); ++i) {
    const FlowEntry opening{{2, 3}, FlowState::kOpening, Deadline::after(kStart, seconds(10))};
    table.store({random(), random()}, i % 3 == 0 ? established(3) : opening, kNow);
    ASSERT_LE(table.opening(), table.capacity() / 2);
  }
  for (const FlowDigest& digest : kept) {
    ASSERT_EQ(table.find(digest, kNow), established());
  }
}

}  // namespace
}  // namespace maglb
