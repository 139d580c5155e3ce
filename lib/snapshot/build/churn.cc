#include "lib/snapshot/build/churn.h"

#include <cmath>
#include <limits>
#include <map>
#include <string_view>
#include <unordered_map>

namespace maglb {
namespace {

// For a slot of `before`, the index of its backend in `after`; kGone if that has no such backend.
constexpr uint32_t kGone = std::numeric_limits<uint32_t>::max();

std::vector<uint32_t> places_after(const PoolSpec& before, const PoolSpec& after) {
  std::unordered_map<std::string_view, uint32_t> places;
  for (const BackendSpec& backend : after.backends) {
    places.emplace(backend.name, static_cast<uint32_t>(places.size()));
  }
  std::vector<uint32_t> list;
  for (const BackendSpec& backend : before.backends) {
    const auto at = places.find(backend.name);
    list.push_back(at == places.end() ? kGone : at->second);
  }
  return list;
}

uint64_t moved_of_same_table(const PoolSpec& before, const PoolSpec& after) {
  const std::vector<uint32_t> places = places_after(before, after);
  uint64_t moved = 0;
  for (size_t i = 0; i < after.slots.size(); ++i) {
    const uint16_t old = before.slots[i];
    const uint32_t stays = old == kNoBackend ? kNoBackend : places[old];
    moved += after.slots[i] == stays ? 0 : 1;
  }
  return moved;
}

std::map<std::string_view, double> shares(const PoolSpec& pool) {
  std::vector<uint64_t> counts(pool.backends.size());
  uint64_t nobody = 0;
  for (const uint16_t slot : pool.slots) {
    ++(slot == kNoBackend ? nobody : counts[slot]);
  }
  const auto size = static_cast<double>(pool.slots.size());
  std::map<std::string_view, double> shares = {{"", static_cast<double>(nobody) / size}};
  for (size_t i = 0; i < counts.size(); ++i) {
    shares.emplace(pool.backends[i].name, static_cast<double>(counts[i]) / size);
  }
  return shares;
}

uint64_t moved_of_other_tables(const PoolSpec& before, const PoolSpec& after) {
  if (before.slots.empty() || after.slots.empty()) {
    return after.slots.size();
  }
  const auto old = shares(before);
  double stay = 0;
  for (const auto& [name, share] : shares(after)) {
    const auto was = old.find(name);
    stay += was == old.end() ? 0 : was->second * share;
  }
  return static_cast<uint64_t>(std::llround((1 - stay) * static_cast<double>(after.slots.size())));
}

PoolChurn churn_of(const PoolSpec& before, const PoolSpec& after) {
  const uint64_t total = after.slots.size();
  if (&before == &after) {
    return {after.name, 0, total};
  }
  const bool same_table = before.seed == after.seed && before.slots.size() == after.slots.size();
  return {after.name, same_table ? moved_of_same_table(before, after) : moved_of_other_tables(before, after),
          total};
}

PoolChurn churn_of_removed(const PoolSpec& pool) {
  uint64_t moved = 0;
  for (const uint16_t slot : pool.slots) {
    moved += slot == kNoBackend ? 0 : 1;
  }
  return {pool.name, moved, pool.slots.size()};
}

}  // namespace

std::vector<PoolChurn> churn(const Compiled& before, const Compiled& after) {
  std::map<std::string_view, std::pair<const PoolSpec*, const PoolSpec*>> pools;
  for (const CompiledPool& pool : before.pools) {
    pools[pool.spec->name].first = pool.spec.get();
  }
  for (const CompiledPool& pool : after.pools) {
    pools[pool.spec->name].second = pool.spec.get();
  }
  std::vector<PoolChurn> list;
  for (const auto& [name, both] : pools) {
    const auto& [old, now] = both;
    list.push_back(now == nullptr   ? churn_of_removed(*old)
                   : old == nullptr ? PoolChurn{now->name, 0, now->slots.size()}
                                    : churn_of(*old, *now));
  }
  return list;
}

}  // namespace maglb
