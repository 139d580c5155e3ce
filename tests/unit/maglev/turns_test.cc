#include "lib/maglev/turns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace maglb::maglev {
namespace {

std::vector<uint32_t> naive_turns(const std::vector<uint32_t>& weights, size_t count) {
  const uint64_t price = *std::max_element(weights.begin(), weights.end());
  std::vector<uint64_t> credits(weights.size());
  std::vector<uint32_t> turns;
  for (;;) {
    for (uint32_t i = 0; i < weights.size(); ++i) {
      credits[i] += weights[i];
      if (credits[i] >= price) {
        credits[i] -= price;
        turns.push_back(i);
        if (turns.size() == count) {
          return turns;
        }
      }
    }
  }
}

std::vector<uint32_t> listed_turns(const std::vector<uint32_t>& weights, size_t count, size_t most) {
  Turns turns(weights);
  std::vector<uint32_t> listed;
  while (listed.size() < count) {
    const auto next = turns.next(std::min(most, count - listed.size()));
    EXPECT_FALSE(next.empty());
    listed.insert(listed.end(), next.begin(), next.end());
  }
  return listed;
}

TEST(MaglevTurns, ArePaidForByCredit) {
  EXPECT_EQ(listed_turns({2, 4, 1}, 7, 10), (std::vector<uint32_t>{1, 0, 1, 1, 0, 1, 2}));
  EXPECT_EQ(listed_turns({5, 5, 5}, 7, 2), (std::vector<uint32_t>{0, 1, 2, 0, 1, 2, 0}));
}

TEST(MaglevTurns, AreThoseOfALoopThatKeepsCredit) {
  std::mt19937 random(20161);
  for (const uint32_t range : {1u, 2u, 100u, 10000u, 1u << 31}) {
    for (const size_t n : {1u, 2u, 77u}) {
      std::vector<uint32_t> weights(n);
      for (uint32_t& weight : weights) {
        weight = 1 + static_cast<uint32_t>(random()) % range;
      }
      weights[n / 2] = range;
      for (const size_t most : {1u, 10u, 1000u}) {
        ASSERT_EQ(listed_turns(weights, 2000, most), naive_turns(weights, 2000)) << range << " " << n;
      }
    }
  }
}

TEST(MaglevTurns, AreTheSameWhereFewHaveOne) {
  std::mt19937 random(20162);
  std::vector<uint32_t> weights(200);
  for (uint32_t& weight : weights) {
    weight = 1 + random() % 30;
  }
  weights[100] = 10000;
  EXPECT_EQ(listed_turns(weights, 20000, 7), naive_turns(weights, 20000));
}

}  // namespace
}  // namespace maglb::maglev
