// The table against a map that knows its rules and nothing of places. In a table of two buckets every
// digest may lie anywhere, so the model tells every outcome but one: which of several opening entries
// that would expire at the same tick is replaced.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "lib/flow/flow_table.h"

namespace maglb {
namespace {

class Model {
 public:
  explicit Model(size_t capacity) : capacity_(capacity) {}

  struct Outcome {
    bool stored = true;
    std::set<uint64_t> one_may_go;  // of these exactly one is replaced
  };

  Outcome store(uint64_t digest, const FlowEntry& entry, Tick now) {
    const bool opens = entry.state == FlowState::kOpening;
    if (!find(digest, now)) {
      entries_.erase(digest);
    }
    if (const auto old = entries_.find(digest); old != entries_.end()) {
      if (opens && old->second.state != FlowState::kOpening && opening() >= capacity_ / 2) {
        return {false, {}};
      }
      old->second = entry;
      return {};
    }
    const bool may_add = !opens || opening() < capacity_ / 2;
    if (may_add && live(now) < capacity_) {
      Outcome outcome{true, expired(now)};
      entries_.emplace(digest, entry);
      return outcome;
    }
    Outcome outcome{true, first_to_expire(now)};
    outcome.stored = !outcome.one_may_go.empty();
    if (outcome.stored) {
      entries_.emplace(digest, entry);
    }
    return outcome;
  }

  void erase(uint64_t digest) { entries_.erase(digest); }
  std::optional<FlowEntry> find(uint64_t digest, Tick now) const {
    const auto found = entries_.find(digest);
    return found == entries_.end() || found->second.expires.reached(now) ? std::nullopt
                                                                         : std::optional(found->second);
  }
  bool holds(uint64_t digest) const { return entries_.contains(digest); }
  size_t opening() const {
    size_t count = 0;
    for (const auto& [digest, entry] : entries_) {
      count += entry.state == FlowState::kOpening ? 1 : 0;
    }
    return count;
  }
  void forget_expired(Tick now) {
    std::erase_if(entries_, [&](const auto& item) { return item.second.expires.reached(now); });
  }

 private:
  size_t live(Tick now) const { return entries_.size() - expired(now).size(); }
  std::set<uint64_t> expired(Tick now) const {
    std::set<uint64_t> digests;
    for (const auto& [digest, entry] : entries_) {
      if (entry.expires.reached(now)) {
        digests.insert(digest);
      }
    }
    return digests;
  }
  std::set<uint64_t> first_to_expire(Tick now) const {
    std::set<uint64_t> first;
    Duration least = Duration::max();
    for (const auto& [digest, entry] : entries_) {
      if (entry.state != FlowState::kOpening || entry.expires.left(now) > least) {
        continue;
      }
      if (entry.expires.left(now) < least) {
        least = entry.expires.left(now);
        first.clear();
      }
      first.insert(digest);
    }
    return first;
  }

  size_t capacity_;
  std::map<uint64_t, FlowEntry> entries_;
};

struct World {
  explicit World(uint64_t seed) : random(seed) {
    for (int i = 0; i < 40; ++i) {
      digests.push_back({random(), random()});
    }
  }
  uint64_t below(uint64_t limit) { return random() % limit; }
  void sweep(Tick tick) {
    table.sweep(2, tick, [](const FlowEntry&) { return true; });
    model.forget_expired(tick);
  }

  std::mt19937_64 random;
  std::vector<FlowDigest> digests;
  std::vector<FlowTable::Bucket> buckets{2};
  FlowTable table{buckets};
  Model model{10};
  // Close before a deadline's units wrap around.
  Time now{(int64_t{0xff00} << 27) + 5};
};

// Which of the candidates is not in the table any more. Of expired ones that cannot be seen: all go, so
// that the model does not keep another one than the table.
void settle_replacement(World& world, const std::set<uint64_t>& candidates, Tick tick) {
  if (candidates.empty()) {
    return;
  }
  if (!world.model.find(*candidates.begin(), tick)) {
    world.sweep(tick);
    return;
  }
  std::vector<uint64_t> gone;
  for (const FlowDigest& digest : world.digests) {
    if (candidates.contains(digest.identity) && !world.table.find(digest, tick)) {
      gone.push_back(digest.identity);
    }
  }
  ASSERT_EQ(gone.size(), 1u) << "not one live opening entry was replaced";
  world.model.erase(gone[0]);
}

void step(World& world) {
  const Tick tick = Tick::at(world.now);
  const FlowDigest digest = world.digests[world.below(world.digests.size())];
  switch (world.below(12)) {
    case 0:
      world.now += Duration(static_cast<int64_t>(world.below(3)) << 27);
      return;
    case 1:
      world.table.erase(digest, tick);
      world.model.erase(digest.identity);
      return;
    case 2:
      if (world.below(8) == 0) {
        world.sweep(tick);
      }
      return;
    default:
      break;
  }
  const FlowEntry entry{{static_cast<uint16_t>(world.below(3)), static_cast<uint16_t>(world.below(100))},
                        static_cast<FlowState>(world.below(10) < 6 ? 0 : world.below(4)),
                        Deadline::after(world.now, Duration(static_cast<int64_t>(world.below(30)) << 27))};
  const auto expected = world.model.store(digest.identity, entry, tick);
  ASSERT_EQ(world.table.store(digest, entry, tick), expected.stored);
  settle_replacement(world, expected.one_may_go, tick);
}

void compare(World& world) {
  const Tick tick = Tick::at(world.now);
  size_t live = 0;
  for (const FlowDigest& digest : world.digests) {
    ASSERT_EQ(world.table.find(digest, tick), world.model.find(digest.identity, tick));
    live += world.model.find(digest.identity, tick) ? 1 : 0;
  }
  ASSERT_EQ(world.table.opening(), world.model.opening());
  ASSERT_LE(world.table.opening(), world.table.capacity() / 2);
  ASSERT_GE(world.table.size(), live);
  size_t visited = 0;
  world.table.for_each(tick, [&](const FlowEntry&) { ++visited; });
  ASSERT_EQ(visited, live) << "a digest is in more than one place";
}

TEST(FlowTableModel, DoesWhatAMapWithItsRulesDoes) {
  const uint64_t seed = ::testing::UnitTest::GetInstance()->random_seed() != 0
                            ? static_cast<uint64_t>(::testing::UnitTest::GetInstance()->random_seed())
                            : std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::printf("seed %llu (--gtest_random_seed repeats it)\n", static_cast<unsigned long long>(seed));
  for (uint64_t round = 0; round < 30; ++round) {
    World world(seed + round);
    for (int i = 0; i < 3000; ++i) {
      step(world);
      compare(world);
      if (::testing::Test::HasFatalFailure()) {
        FAIL() << "round " << round << ", step " << i;
      }
    }
  }
}

}  // namespace
}  // namespace maglb
