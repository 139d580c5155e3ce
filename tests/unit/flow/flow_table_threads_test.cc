// Readers beside the owner. What an entry says is derived from its digest, so that a reader can tell
// another flow's entry from its own.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "lib/flow/flow_table.h"

namespace maglb {
namespace {

const Tick kNow(1000);

FlowEntry derived(const FlowDigest& digest, FlowState state) {
  const uint64_t mixed = (digest.identity ^ digest.place) * 0x9e3779b97f4a7c15;
  return {{static_cast<uint16_t>(mixed >> 49), static_cast<uint16_t>(mixed >> 34 & 0x7fff)},
          state,
          Deadline(2000 + static_cast<uint32_t>(mixed & 0x3fff))};
}

TEST(FlowTableThreads, AReaderNeverGetsAnotherFlowsEntry) {
  std::mt19937_64 random(5);
  std::vector<FlowDigest> digests;
  for (int i = 0; i < 44; ++i) {
    digests.push_back({random(), random()});
  }
  std::vector<FlowTable::Bucket> buckets(8);
  FlowTable table(buckets);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> found{0};
  std::atomic<uint64_t> wrong{0};
  const auto read = [&](uint64_t seed) {
    std::mt19937_64 choose(seed);
    while (!stop.load(std::memory_order_relaxed)) {
      const FlowDigest& digest = digests[choose() % digests.size()];
      if (const auto entry = table.find(digest, kNow)) {
        found.fetch_add(1, std::memory_order_relaxed);
        wrong.fetch_add(*entry == derived(digest, entry->state) ? 0 : 1, std::memory_order_relaxed);
      }
      table.for_each(kNow, [](const FlowEntry&) {});
    }
  };
  std::thread first(read, 1);
  std::thread second(read, 2);
  for (int i = 0; i < 1'000'000 || (found.load() == 0 && i < 100'000'000); ++i) {
    const FlowDigest& digest = digests[random() % digests.size()];
    if (random() % 4 == 0 && table.size() > 32) {
      table.erase(digest, kNow);
    } else {
      // Few are opening: those are replaced where the others move.
      const auto state = static_cast<FlowState>(random() % 16 == 0 ? 0 : 1 + random() % 3);
      table.store(digest, derived(digest, state), kNow);
    }
  }
  stop = true;
  first.join();
  second.join();
  RecordProperty("found", std::to_string(found.load()));
  EXPECT_GT(found.load(), 0u);
  EXPECT_EQ(wrong.load(), 0u);
}

}  // namespace
}  // namespace maglb
