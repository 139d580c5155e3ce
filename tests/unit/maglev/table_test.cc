#include "lib/maglev/table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>

#include "lib/base/prime.h"
#include "tests/support/plain_maglev.h"

namespace maglb::maglev {
namespace {

struct Fleet {
  std::vector<std::string> names;
  std::vector<uint32_t> weights;

  static Fleet of(size_t n, uint32_t weight = 100) {
    Fleet fleet;
    for (size_t i = 0; i < n; ++i) {
      fleet.names.push_back(fmt::format("backend{:05}", i));
      fleet.weights.push_back(weight);
    }
    return fleet;
  }

  std::vector<uint16_t> table(uint32_t m, uint64_t seed = 7) const {
    std::vector<Member> members;
    for (size_t i = 0; i < names.size(); ++i) {
      members.push_back({names[i], weights[i]});
    }
    return build(members, m, seed);
  }
};

std::vector<uint32_t> counts(const std::vector<uint16_t>& table, size_t n) {
  std::vector<uint32_t> count(n);
  for (const uint16_t slot : table) {
    ++count.at(slot);
  }
  return count;
}

// Table 1 of the paper: M = 7, three backends with (offset, skip) = (3,4), (0,2), (3,1).
TEST(MaglevTable, ReproducesThePapersExample) {
  const std::vector<Permutation> all{{3, 4}, {0, 2}, {3, 1}};
  EXPECT_EQ(populate(all, std::vector<uint32_t>{1, 1, 1}, 7), (std::vector<uint16_t>{1, 0, 1, 0, 2, 2, 0}));
  EXPECT_EQ(populate(all, std::vector<uint32_t>{1, 0, 1}, 7), (std::vector<uint16_t>{0, 0, 0, 0, 2, 2, 2}));
}

TEST(MaglevTable, GivesEachBackendItsFloorOrCeiling) {
  for (const auto& [m, n] :
       {std::pair<uint32_t, size_t>{65537, 1000}, {65537, 3}, {251, 250}, {3, 3}, {65537, 1}}) {
    const auto count = counts(Fleet::of(n).table(m), n);
    const auto [low, high] = std::minmax_element(count.begin(), count.end());
    EXPECT_GE(*low, m / n);
    EXPECT_LE(*high, (m + n - 1) / n);
  }
}

TEST(MaglevTable, OneRemovedOfAThousandMovesAtMostOnePercentOfTheOthersSlots) {
  Fleet fleet = Fleet::of(1000);
  const auto before = fleet.table(65537);
  size_t worst = 0;
  for (const size_t removed : {0, 17, 500, 999}) {
    fleet.weights[removed] = 0;
    const auto after = fleet.table(65537);
    fleet.weights[removed] = 100;
    size_t moved = 0;
    for (size_t slot = 0; slot < before.size(); ++slot) {
      moved += before[slot] != removed && before[slot] != after[slot];
    }
    worst = std::max(worst, moved);
  }
  RecordProperty("moved_slots", static_cast<int>(worst));
  EXPECT_LE(worst, 655u);
}

TEST(MaglevTable, ARemovedBackendAndOneOfWeightZeroAreTheSame) {
  Fleet fleet = Fleet::of(10);
  fleet.weights[4] = 0;
  auto with_zero = fleet.table(4099);
  fleet.names.erase(fleet.names.begin() + 4);
  fleet.weights.erase(fleet.weights.begin() + 4);
  for (uint16_t& slot : with_zero) {
    slot = static_cast<uint16_t>(slot - (slot > 4));
  }
  EXPECT_EQ(with_zero, fleet.table(4099));
}

TEST(MaglevTable, SharesFollowTheWeights) {
  std::mt19937 random(20161);
  Fleet fleet = Fleet::of(50);
  for (uint32_t& weight : fleet.weights) {
    weight = 1 + random() % 1000;
  }
  const uint64_t total = std::accumulate(fleet.weights.begin(), fleet.weights.end(), uint64_t{0});
  const auto count = counts(fleet.table(65537), 50);
  for (size_t i = 0; i < 50; ++i) {
    const double expected = 65537.0 * fleet.weights[i] / static_cast<double>(total);
    EXPECT_NEAR(count[i], expected, 2.0) << "weight " << fleet.weights[i];
  }
}

TEST(MaglevTable, AWeightChangeMovesFewSlotsOfTheOthers) {
  Fleet fleet = Fleet::of(100);
  const auto before = fleet.table(65537);
  fleet.weights[42] = 50;
  const auto after = fleet.table(65537);
  size_t moved = 0;
  for (size_t slot = 0; slot < before.size(); ++slot) {
    moved += before[slot] != 42 && before[slot] != after[slot];
  }
  EXPECT_LE(moved, 65537u / 100 * 2);
}

TEST(MaglevTable, AnotherSeedGivesAnotherTable) {
  const Fleet fleet = Fleet::of(5);
  EXPECT_EQ(fleet.table(4099, 1), fleet.table(4099, 1));
  EXPECT_NE(fleet.table(4099, 1), fleet.table(4099, 2));
}

TEST(MaglevTable, IsEmptyWithoutMembers) {
  EXPECT_EQ(build({}, 5, 0), std::vector<uint16_t>(5, kEmpty));
}

struct Input {
  uint32_t table_size = 0;
  std::vector<Permutation> permutations;
  std::vector<uint32_t> weights;
};

// Pools of one member, of a few, of more than the table has slots; members that all walk the same way;
// weights equal, alike, and as far apart as a configuration allows.
Input random_input(std::mt19937_64& random, uint32_t table_size) {
  const uint32_t sizes[] = {1, 2, 3, 10, 100, 1000, table_size, 2 * table_size};
  const uint32_t ranges[] = {1, 2, 100, 10001};
  const size_t n = 1 + random() % std::min(sizes[random() % 8], 2000u);
  const uint32_t range = ranges[random() % 4];
  const uint32_t lowest = random() % 2;
  const uint32_t ways = random() % 8 == 0 ? 1 : table_size;
  Input input{table_size, {}, {}};
  for (size_t i = 0; i < n; ++i) {
    input.permutations.push_back({static_cast<uint32_t>(random() % ways),
                                  1 + static_cast<uint32_t>(random() % std::min(ways, table_size - 1))});
    input.weights.push_back(lowest + static_cast<uint32_t>(random() % range));
  }
  input.weights[random() % n] = range == 10001 ? 10000 : 1;
  return input;
}

void expect_the_papers_table(const Input& input) {
  ASSERT_EQ(populate(input.permutations, input.weights, input.table_size),
            testing::plain_maglev(input.permutations, input.weights, input.table_size))
      << "m " << input.table_size << " n " << input.permutations.size();
}

TEST(MaglevTable, AgreesWithThePapersLoopSlotBySlot) {
  const auto seed = static_cast<uint64_t>(::testing::UnitTest::GetInstance()->random_seed());
  fmt::print("seed {} (--gtest_random_seed repeats it)\n", seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    uint32_t m = 3 + static_cast<uint32_t>(random() % (round % 10 == 0 ? 5000 : 300));
    while (!is_prime(m)) {
      ++m;
    }
    ASSERT_NO_FATAL_FAILURE(expect_the_papers_table(random_input(random, m)));
  }
  for (int round = 0; round < 20; ++round) {
    ASSERT_NO_FATAL_FAILURE(expect_the_papers_table(random_input(random, 65537)));
  }
}

TEST(MaglevTable, AgreesWithThePapersLoopWhereTheRoundsAreLong) {
  std::mt19937_64 random(20161);
  for (const uint32_t m : {2u, 3u, 65537u}) {
    Input input{m, {}, {}};
    for (size_t i = 0; i < 60000; ++i) {
      input.permutations.push_back(
          {static_cast<uint32_t>(random() % m), 1 + static_cast<uint32_t>(random() % (m - 1))});
      input.weights.push_back(static_cast<uint32_t>(random() % 3));
    }
    expect_the_papers_table(input);
  }
}

// Written down so that no later change moves a fleet's flows unnoticed; computed with an independent
// SipHash.
TEST(MaglevTable, PermutationsKeepTheirTestVectors) {
  const Permutation web1 = permutation_of("web1", 65537, 7);
  EXPECT_EQ(web1.offset, 63465u);
  EXPECT_EQ(web1.skip, 45077u);
  const Permutation empty = permutation_of("", 7, 0);
  EXPECT_EQ(empty.offset, 0u);
  EXPECT_EQ(empty.skip, 1u);
}

}  // namespace
}  // namespace maglb::maglev
