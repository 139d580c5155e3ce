#include "lib/snapshot/view/candidates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "lib/snapshot/view/forwarding_state.h"
#include "lib/snapshot/view/interleave.h"

namespace maglb {
namespace {

std::vector<Candidate> members_of(const std::vector<uint32_t>& weights) {
  std::vector<Candidate> members;
  for (size_t i = 0; i < weights.size(); ++i) {
    members.push_back({static_cast<uint16_t>(100 + i), weights[i]});
  }
  return members;
}

// The interleaving's two promises, at every position.
void expect_interleaved(const std::vector<uint32_t>& counts) {
  const auto cycle = interleave(counts, std::pmr::get_default_resource());
  const auto length = static_cast<double>(cycle.size());
  ASSERT_EQ(cycle.size(), std::accumulate(counts.begin(), counts.end(), size_t{0}));
  std::vector<uint32_t> seen(counts.size());
  for (size_t t = 0; t < cycle.size(); ++t) {
    ++seen[cycle[t]];
    const double expected = static_cast<double>(counts[cycle[t]]) * static_cast<double>(t + 1) / length;
    ASSERT_LT(std::abs(seen[cycle[t]] - expected), 2.0) << "position " << t;
  }
  EXPECT_EQ(seen, counts);
}

TEST(Interleave, NamesEachByItsCountAndSpreadsThem) {
  std::mt19937_64 random(11);
  expect_interleaved({1});
  expect_interleaved({1, 1, 1});
  expect_interleaved({100, 1});
  expect_interleaved({1, 10000, 1, 5000});
  for (int round = 0; round < 200; ++round) {
    std::vector<uint32_t> counts(1 + random() % 60);
    for (uint32_t& count : counts) {
      count = static_cast<uint32_t>(1 + random() % (round % 2 == 0 ? 5 : 300));
    }
    expect_interleaved(counts);
  }
}

TEST(Interleave, IsTheOneThatPeopleExpect) {
  const auto cycle = [](std::vector<uint32_t> counts) {
    const auto made = interleave(counts, std::pmr::get_default_resource());
    return std::vector<uint16_t>(made.begin(), made.end());
  };
  EXPECT_EQ(cycle({1, 1, 1}), (std::vector<uint16_t>{0, 1, 2}));
  // One large between any two small ones, not all small ones together.
  const auto mixed = cycle({4, 1, 1, 1, 1});
  for (size_t i = 0; i + 1 < mixed.size(); ++i) {
    EXPECT_NE(mixed[i] == 0, mixed[i + 1] == 0) << i;
  }
}

TEST(Interleave, CountsAreWeightsWithoutTheirDivisorAndBounded) {
  EXPECT_EQ(counts_in_cycle(std::vector<uint32_t>{100, 200, 50}), (std::vector<uint32_t>{2, 4, 1}));
  std::mt19937_64 random(5);
  std::vector<uint32_t> weights(kMaxBackendsPerPool);
  uint64_t sum = 0;
  for (uint32_t& weight : weights) {
    weight = static_cast<uint32_t>(1 + random() % kMaxBackendWeight);
    sum += weight;
  }
  const auto counts = counts_in_cycle(weights);
  const double longest = static_cast<double>(longest_cycle(weights.size()));
  uint64_t length = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    ASSERT_GE(counts[i], 1u);
    ASSERT_LT(std::abs(counts[i] - weights[i] * longest / static_cast<double>(sum)), 1.0);
    length += counts[i];
  }
  EXPECT_LE(length, longest_cycle(weights.size()) + weights.size());
  expect_interleaved(counts);
}

// The chances of a table by Walker and Vose are found by asking for each row its lowest share, its cut, and
// so exactly: every draw is even in both numbers.
TEST(Candidates, AreDrawnByWeight) {
  std::mt19937_64 random(3);
  for (const auto& weights : std::vector<std::vector<uint32_t>>{
           {1}, {1, 1}, {1, 2, 3, 4, 5, 6, 7, 8}, {10000, 1}, {3, 10000, 10000, 17, 256, 1000, 999, 5}}) {
    const Candidates candidates(Scheduler::kRandom, members_of(weights), std::pmr::get_default_resource());
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    constexpr int kDraws = 200'000;
    std::vector<int> seen(weights.size());
    for (int i = 0; i < kDraws; ++i) {
      ++seen[candidates.drawn(random()).place - 100];
    }
    // Chi-square: with 7 degrees of freedom it is above 40.5 once in a million.
    double chi_square = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      const double expected = kDraws * weights[i] / total;
      chi_square += (seen[i] - expected) * (seen[i] - expected) / expected;
    }
    EXPECT_LT(chi_square, 40.5);
  }
}

TEST(Candidates, HaveOnlyWhatTheirSchedulerNeeds) {
  const Candidates in_turn(Scheduler::kRoundRobin, members_of({2, 4}), std::pmr::get_default_resource());
  EXPECT_EQ(in_turn.cycle_length(), 3u);
  const Candidates bounded(Scheduler::kMaglev, members_of({2, 4}), std::pmr::get_default_resource());
  EXPECT_EQ(bounded.cycle_length(), 0u);
  EXPECT_EQ(bounded.size(), 2u);
  EXPECT_EQ(bounded[1].place, 101);
}

}  // namespace
}  // namespace maglb
