// SipHash-2-4 (Aumasson, Bernstein, 2012): a keyed 64-bit hash whose outputs an outsider who does not
// know the key can neither predict nor steer into collisions. Used for flow digests (a random key per
// process) and for Maglev permutations (a key from the fleet's seed).
#pragma once

#include <cstdint>
#include <span>

namespace maglb {

struct SipKey {
  uint64_t k0 = 0;
  uint64_t k1 = 0;

  // 128 bits from the kernel (getrandom). Stops the program if there are none to be had.
  static SipKey random();
};

uint64_t siphash24(const SipKey& key, std::span<const uint8_t> message);

}  // namespace maglb
