#include "lib/maglev/table.h"

#include <algorithm>
#include <utility>

#include "lib/base/check.h"
#include "lib/base/prime.h"
#include "lib/base/siphash.h"
#include "lib/maglev/filling.h"
#include "lib/maglev/turns.h"

namespace maglb::maglev {
namespace {

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
  Filling filling(table_size);
  std::vector<uint32_t> positive;
  for (size_t i = 0; i < permutations.size(); ++i) {
    if (weights[i] > 0) {
      filling.add(permutations[i], static_cast<uint16_t>(i));
      positive.push_back(weights[i]);
    }
  }
  if (!positive.empty()) {
    filling.fill(Turns(std::move(positive)));
  }
  return std::move(filling).table();
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
