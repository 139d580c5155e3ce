// The paper's loop (Eisenbud et al., NSDI 2016, section 3.4, figure 2) as it is written there, with the
// weights of lib/maglev/table.h: what maglev::populate() must agree with slot by slot, and the yardstick
// of its benchmark.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/maglev/table.h"

namespace maglb::testing {

// REQUIRES: as maglev::populate(), and a weight above 0.
inline std::vector<uint16_t> plain_maglev(std::span<const maglev::Permutation> permutations,
                                          std::span<const uint32_t> weights, uint32_t table_size) {
  const uint32_t price = *std::max_element(weights.begin(), weights.end());
  const bool equal = std::all_of(weights.begin(), weights.end(), [&](uint32_t w) { return w == price; });
  std::vector<uint32_t> next;
  for (const maglev::Permutation& permutation : permutations) {
    next.push_back(permutation.offset);
  }
  std::vector<uint32_t> credit(weights.size());
  std::vector<uint16_t> entry(table_size, maglev::kEmpty);
  for (uint32_t n = 0;;) {
    for (size_t i = 0; i < next.size(); ++i) {
      if (!equal) {
        credit[i] += weights[i];
        if (credit[i] < price) {
          continue;
        }
        credit[i] -= price;
      }
      uint32_t c = next[i];
      const uint32_t skip = permutations[i].skip;
      while (entry[c] != maglev::kEmpty) {
        c = c + skip < table_size ? c + skip : c + skip - table_size;
      }
      entry[c] = static_cast<uint16_t>(i);
      next[i] = c + skip < table_size ? c + skip : c + skip - table_size;
      if (++n == table_size) {
        return entry;
      }
    }
  }
}

}  // namespace maglb::testing
