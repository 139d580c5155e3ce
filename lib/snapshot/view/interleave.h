// The order in which round-robin goes over backends by their weights: a cycle in which each is named as often
// as its weight says, evenly spread.
//
// How often: the weight over the greatest common divisor of all. Where the cycle would be longer than
// longest_cycle(), weights are scaled down to it and rounded, to one at least: a count is then off by less
// than one.
//
// How spread: backends of one count form a class, and take turns within it; a class of C places in a cycle of
// L is to have its k-th (from 0) at one of the positions floor(k L / C) .. ceil((k + 1) L / C) - 1. Earliest
// deadline first keeps to all of these, as the places of all classes together are L (Liu and Layland; for
// this problem, Tijdeman 1980). So:
//   1. in the first t positions of a cycle a class is named C t / L times, off by less than one;
//   2. a backend's count in them is off by less than two.
//
// Costs O(L log classes), and there are at most sqrt(2 L) classes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

namespace maglb {

// 16 positions for a backend of the mean weight, so that rounding takes or gives it a thirty-second at most.
constexpr size_t longest_cycle(size_t members) {
  return members * 16 < 65536 ? 65536 : members * 16;
}

// How often each is named in a cycle. REQUIRES: every weight is in 1..kMaxBackendWeight.
std::vector<uint32_t> counts_in_cycle(std::span<const uint32_t> weights);

// Indexes of `counts`. REQUIRES: every count > 0, no more than 65535 of them, and their sum fits 31 bits.
std::pmr::vector<uint16_t> interleave(std::span<const uint32_t> counts, std::pmr::memory_resource* memory);

}  // namespace maglb
