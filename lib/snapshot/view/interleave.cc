#include "lib/snapshot/view/interleave.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <queue>

namespace maglb {
namespace {

constexpr uint32_t kNone = ~uint32_t{0};

// Backends of one count, which take turns.
struct Class {
  std::vector<uint16_t> members;
  uint64_t total = 0;  // positions of all of them
  uint64_t named = 0;  // so far
  uint32_t next = kNone;

  uint64_t release(uint64_t length) const { return named * length / total; }
  uint64_t deadline(uint64_t length) const { return ((named + 1) * length + total - 1) / total; }
  uint16_t take() { return members[named++ % members.size()]; }
};

std::vector<Class> classes_of(std::span<const uint32_t> counts) {
  std::map<uint32_t, Class, std::greater<>> by_count;
  for (size_t i = 0; i < counts.size(); ++i) {
    Class& one = by_count[counts[i]];
    one.members.push_back(static_cast<uint16_t>(i));
    one.total += counts[i];
  }
  std::vector<Class> classes;
  for (auto& [count, one] : by_count) {
    classes.push_back(std::move(one));
  }
  return classes;
}

}  // namespace

std::vector<uint32_t> counts_in_cycle(std::span<const uint32_t> weights) {
  uint32_t divisor = 0;
  uint64_t sum = 0;
  for (const uint32_t weight : weights) {
    divisor = std::gcd(divisor, weight);
    sum += weight;
  }
  std::vector<uint32_t> counts;
  const uint64_t longest = longest_cycle(weights.size());
  const bool fits = divisor != 0 && sum / divisor <= longest;
  for (const uint32_t weight : weights) {
    const uint64_t scaled = fits ? weight / divisor : (weight * longest + sum / 2) / sum;
    counts.push_back(static_cast<uint32_t>(std::max<uint64_t>(scaled, 1)));
  }
  return counts;
}

std::pmr::vector<uint16_t> interleave(std::span<const uint32_t> counts, std::pmr::memory_resource* memory) {
  const uint64_t length = std::accumulate(counts.begin(), counts.end(), uint64_t{0});
  std::vector<Class> classes = classes_of(counts);
  std::pmr::vector<uint16_t> cycle(memory);
  cycle.reserve(length);
  // By position, the classes whose next one may come there: a chain through Class::next.
  std::vector<uint32_t> released(length + 1, kNone);
  const auto wait = [&](uint32_t i) {
    uint32_t& head = released[classes[i].release(length)];
    classes[i].next = head;
    head = i;
  };
  for (uint32_t i = 0; i < classes.size(); ++i) {
    wait(i);
  }
  using Due = std::pair<uint64_t, uint32_t>;  // deadline, class
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due;
  for (uint64_t position = 0; position < length; ++position) {
    for (uint32_t i = released[position]; i != kNone; i = classes[i].next) {
      due.emplace(classes[i].deadline(length), i);
    }
    const uint32_t chosen = due.top().second;
    due.pop();
    cycle.push_back(classes[chosen].take());
    if (classes[chosen].named == classes[chosen].total) {
      continue;
    }
    if (classes[chosen].release(length) <= position) {
      due.emplace(classes[chosen].deadline(length), chosen);
    } else {
      wait(chosen);
    }
  }
  return cycle;
}

}  // namespace maglb
