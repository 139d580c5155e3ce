#include "lib/maglev/table.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/prime.h"
#include "lib/base/siphash.h"

namespace maglb::maglev {
namespace {

// One member's way through its permutation: the slot it would take next, and its credit.
struct Walker {
  uint32_t slot;
  uint32_t skip;
  uint32_t weight;
  uint32_t credit;
  uint16_t index;
};

std::vector<Walker> walkers_of(std::span<const Permutation> permutations, std::span<const uint32_t> weights) {
  std::vector<Walker> walkers;
  walkers.reserve(permutations.size());
  for (size_t i = 0; i < permutations.size(); ++i) {
    if (weights[i] > 0) {
      walkers.push_back(
          {permutations[i].offset, permutations[i].skip, weights[i], 0, static_cast<uint16_t>(i)});
    }
  }
  return walkers;
}

uint32_t largest_weight(const std::vector<Walker>& walkers) {
  return std::max_element(walkers.begin(), walkers.end(),
                          [](const Walker& a, const Walker& b) { return a.weight < b.weight; })
      ->weight;
}

void step(Walker& walker, uint32_t table_size) {
  walker.slot += walker.skip;
  if (walker.slot >= table_size) {
    walker.slot -= table_size;
  }
}

uint64_t hash(std::string_view name, uint64_t seed, uint64_t domain) {
  return siphash24({seed, domain}, {reinterpret_cast<const uint8_t*>(name.data()), name.size()});
}

}  // namespace

Permutation permutation_of(std::string_view name, uint32_t table_size, uint64_t seed) {
  return {static_cast<uint32_t>(hash(name, seed, 0x6d61676c65762d6f) % table_size),
          static_cast<uint32_t>(hash(name, seed, 0x6d61676c65762d73) % (table_size - 1)) + 1};
}

std::vector<uint16_t> populate(std::span<const Permutation> permutations, std::span<const uint32_t> weights,
                               uint32_t table_size) {
  check(permutations.size() == weights.size() && permutations.size() < kEmpty, "one weight a member");
  std::vector<uint16_t> table(table_size, kEmpty);
  std::vector<Walker> walkers = walkers_of(permutations, weights);
  if (walkers.empty()) {
    return table;
  }
  const uint32_t turn_price = largest_weight(walkers);
  for (uint32_t filled = 0;;) {
    for (Walker& walker : walkers) {
      walker.credit += walker.weight;
      if (walker.credit < turn_price) {
        continue;
      }
      walker.credit -= turn_price;
      while (table[walker.slot] != kEmpty) {
        step(walker, table_size);
      }
      table[walker.slot] = walker.index;
      if (++filled == table_size) {
        return table;
      }
    }
  }
}

std::vector<uint16_t> build(std::span<const Member> members, uint32_t table_size, uint64_t seed) {
  check(std::is_sorted(members.begin(), members.end(),
                       [](const Member& a, const Member& b) { return a.name < b.name; }),
        "members are sorted by name");
  check(is_prime(table_size) && table_size > 2, "the table size is prime");
  std::vector<Permutation> permutations;
  std::vector<uint32_t> weights;
  for (const Member& member : members) {
    permutations.push_back(permutation_of(member.name, table_size, seed));
    weights.push_back(member.weight);
  }
  return populate(permutations, weights, table_size);
}

}  // namespace maglb::maglev
