// One bucket of a flow table: a cache line with five places, and the instructions that look into it.
//
//   byte  0  tag of place 0..4      4 bytes each   32 bits of the digest's identity, 0: empty
//        20  control                4 bytes        version 24 | overflow 8
//        24  value of place 0..4    8 bytes each   (bit 0 first)
//              backend place 15 | backend pool 15 | deadline 17 | state 2 | displaced 1 | identity 14
//
// overflow: how many entries whose first bucket this is lie in their second, as far as 8 bits can count;
// at 255 it stays. Where it is 0, what is not here is nowhere. displaced: the entry is one of those.
// version: odd while a place changes hands, raised by 2 to 10 each time, so that half of it modulo five is
// the place after the one that was written last.
#pragma once

#include <immintrin.h>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "lib/base/isa.h"
#include "lib/flow/flow_digest.h"
#include "lib/flow/flow_entry.h"

namespace maglb {

inline constexpr size_t kBucketPlaces = 5;

struct alignas(64) FlowBucket {
  std::atomic<uint32_t> tags[kBucketPlaces] = {};
  std::atomic<uint32_t> control{0};
  std::atomic<uint64_t> values[kBucketPlaces] = {};
};
static_assert(sizeof(FlowBucket) == 64 && offsetof(FlowBucket, values) == 24);
// The instructions below read tags as what they lie in.
static_assert(sizeof(std::atomic<uint32_t>) == 4 && std::atomic<uint32_t>::is_always_lock_free);

inline constexpr uint32_t tag_of(const FlowDigest& digest) {
  const auto tag = static_cast<uint32_t>(digest.identity);
  return tag == 0 ? 1 : tag;
}

// A place's value, taken apart.
class FlowValue {
 public:
  static constexpr int kPlaceBits = 15;
  static constexpr int kPoolBits = 15;
  static_assert(kMaxPlaces == 1u << kPlaceBits && kMaxPoolNumbers == 1u << kPoolBits);
  static constexpr int kDeadlineShift = kPlaceBits + kPoolBits;
  static constexpr int kStateShift = kDeadlineShift + Deadline::kBits;
  static constexpr int kDisplacedShift = kStateShift + 2;
  static constexpr int kIdentityShift = kDisplacedShift + 1;
  static_assert(kIdentityShift == 50);
  static constexpr uint64_t kIdentityMask = ~uint64_t{0} << kIdentityShift;
  static constexpr uint64_t kDisplaced = uint64_t{1} << kDisplacedShift;

  explicit constexpr FlowValue(uint64_t bits) : bits_(bits) {}
  // REQUIRES: the backend is within kMaxPoolNumbers and kMaxPlaces.
  FlowValue(const FlowDigest& digest, const FlowEntry& entry, bool displaced)
      : bits_(uint64_t{entry.backend.place} | uint64_t{entry.backend.pool} << kPlaceBits |
              uint64_t{entry.expires.bits()} << kDeadlineShift |
              uint64_t{static_cast<uint8_t>(entry.state)} << kStateShift | (displaced ? kDisplaced : 0) |
              (digest.identity & kIdentityMask)) {}

  constexpr uint64_t bits() const { return bits_; }
  constexpr uint16_t place() const { return bits_ & ((1u << kPlaceBits) - 1); }
  constexpr uint16_t pool() const { return (bits_ >> kPlaceBits) & ((1u << kPoolBits) - 1); }
  constexpr Deadline expires() const { return Deadline(static_cast<uint32_t>(bits_ >> kDeadlineShift)); }
  constexpr FlowState state() const { return static_cast<FlowState>((bits_ >> kStateShift) & 3); }
  constexpr bool displaced() const { return (bits_ & kDisplaced) != 0; }
  constexpr bool is_of(const FlowDigest& digest) const {
    return ((bits_ ^ digest.identity) >> kIdentityShift) == 0;
  }
  FlowEntry entry() const { return {{pool(), place()}, state(), expires()}; }

 private:
  uint64_t bits_;
};

// Which places have the tag: bit i for place i. One function, three ways.
inline uint32_t match_tags_portable(const FlowBucket& bucket, uint32_t tag) {
  uint32_t match = 0;
  for (size_t i = 0; i < kBucketPlaces; ++i) {
    match |= uint32_t{bucket.tags[i].load(std::memory_order_relaxed) == tag} << i;
  }
  return match;
}

[[MAGLB_TARGET_AVX2]] inline uint32_t match_tags_avx2(const FlowBucket& bucket, uint32_t tag) {
  const __m256i line = _mm256_load_si256(reinterpret_cast<const __m256i*>(&bucket));
  const __m256i equal = _mm256_cmpeq_epi32(line, _mm256_set1_epi32(static_cast<int>(tag)));
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(equal))) & ((1u << kBucketPlaces) - 1);
}

[[MAGLB_TARGET_AVX512]] inline uint32_t match_tags_avx512(const FlowBucket& bucket, uint32_t tag) {
  const __m256i line = _mm256_load_si256(reinterpret_cast<const __m256i*>(&bucket));
  return _mm256_mask_cmpeq_epi32_mask((1u << kBucketPlaces) - 1, line,
                                      _mm256_set1_epi32(static_cast<int>(tag)));
}

}  // namespace maglb
