#include "controlplane/probe/deadline_heap.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace maglb {
namespace {

struct Thing {
  size_t heap_place = kNotInHeap;
};

TEST(DeadlineHeap, AgreesWithASortedMapOnRandomOperations) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::vector<Thing> things(100);
  DeadlineHeap<Thing> heap;
  std::map<Thing*, Time> model;
  for (int i = 0; i < 50000; ++i) {
    Thing& thing = things[random() % things.size()];
    if (random() % 3 != 0) {
      const Time deadline(static_cast<int64_t>(random() % 1000));
      heap.set(thing, deadline);
      model[&thing] = deadline;
    } else {
      heap.remove(thing);
      model.erase(&thing);
    }
    ASSERT_EQ(heap.size(), model.size());
    if (heap.empty()) {
      continue;
    }
    ASSERT_EQ(heap.deadline(), model.at(&heap.top()));
    for (const auto& [each, deadline] : model) {
      ASSERT_LE(heap.deadline(), deadline);
    }
  }
}

TEST(DeadlineHeap, GivesThingsInTheOrderOfTheirDeadlines) {
  std::vector<Thing> things(1000);
  DeadlineHeap<Thing> heap;
  std::mt19937_64 random(1);
  for (Thing& thing : things) {
    heap.set(thing, Time(static_cast<int64_t>(random() % 500)));
  }
  Time last{};
  while (!heap.empty()) {
    EXPECT_GE(heap.deadline(), last);
    last = heap.deadline();
    heap.remove(heap.top());
  }
  for (const Thing& thing : things) {
    EXPECT_EQ(thing.heap_place, kNotInHeap);
  }
}

}  // namespace
}  // namespace maglb
