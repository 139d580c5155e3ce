// Maglev consistent hashing (Eisenbud et al., NSDI 2016, section 3.4): backends and weights in, the
// lookup table out. Pure: no state, no clock, no randomness beyond the seed.
//
// Invariants of a built table:
//   1. Every slot names a member of weight > 0, unless there is none.
//   2. With equal weights each member has floor(M/N) or ceil(M/N) slots.
//   3. The table depends on the members' names and weights, M and the seed, and on nothing else.
//
// The permutation of a member, bit for bit, is part of the product's contract (every machine of a
// fleet must build the same table):
//   offset = SipHash-2-4(key (seed, 0x6d61676c65762d6f), name) mod M
//   skip   = SipHash-2-4(key (seed, 0x6d61676c65762d73), name) mod (M - 1) + 1
//   its i-th choice is (offset + i * skip) mod M
// Permutations are walked, never stored.
//
// Weights set how often a member takes its turn: in each round every member gains its weight in
// credit, and one that has as much as the largest weight pays that and takes one slot. Equal weights
// give the paper's loop. A member that others' weights leave alone keeps its permutation, so that
// most of its slots stay (replicas of a member would move them).
//
// Thread rules: none; functions of their arguments.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace maglb::maglev {

// In a table without members.
inline constexpr uint16_t kEmpty = 0xffff;

struct Member {
  std::string_view name;
  uint32_t weight = 1;  // 0: no slots
};

struct Permutation {
  uint32_t offset = 0;  // < M
  uint32_t skip = 1;    // 1..M-1
};

Permutation permutation_of(std::string_view name, uint32_t table_size, uint64_t seed);

// The table: `table_size` indexes into `members`.
// REQUIRES: members sorted by name, names unique, fewer than 65535 of them; table_size prime, below 2^31.
std::vector<uint16_t> build(std::span<const Member> members, uint32_t table_size, uint64_t seed);

// The paper's loop over given permutations; weights[i] belongs to permutations[i].
// REQUIRES: as build(); every offset and skip in its range.
std::vector<uint16_t> populate(std::span<const Permutation> permutations, std::span<const uint32_t> weights,
                               uint32_t table_size);

}  // namespace maglb::maglev
