// The identity of a flow: a keyed hash of the 5-tuple and the service's id, under a key that is random
// for each process and the same for all its workers. 128 bits come out: 64 choose the flow's buckets in a
// table, 64 are what its entry is known by. A table of B buckets keeps 46 of those, so that an entry says
// 46 + log2(B) bits of the digest.
//
// The hash, with AES rounds (lib/base/aes_round.h) under independent round keys k0..k8:
//   source block      -> xor k0, three rounds with k2, k4, k6
//   destination block -> xor k1, three rounds with k3, k5, k7
//   the two, xor (ports, protocol, service id) -> three rounds with k8, k0, k1
//
// The argument. Who does not know the key sees no digest, and learns nothing of one but which backend a
// flow went to. Two tuples that differ in one address only differ after its three rounds for certain, as
// a round is a permutation. Tuples that differ in more than one part meet only if a difference of the one
// address survives three rounds as exactly the difference of the rest: three rounds of AES have at least
// nine active S-boxes, so no chosen difference does with a probability above 2^-54. The last three rounds
// spread what remains over all bits, so that nobody outside can aim flows at one bucket.
//
// Mistaken identity: a new flow is compared with the entries of two buckets, ten at most, and is taken
// for one of them with probability 10 / 2^46, however large the table is: at a million new flows a second
// one in 81 days, and one flow is then sent where another goes.
//
// The service's id is part of it, so that a service's entries die with the service: one of the same name
// that comes later has another id.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "lib/base/aes_round.h"
#include "lib/base/isa.h"
#include "lib/base/siphash.h"
#include "lib/net/flow_key.h"

namespace maglb {

struct FlowDigest {
  uint64_t place = 0;     // chooses the buckets
  uint64_t identity = 0;  // tells flows in a bucket apart
  friend constexpr bool operator==(const FlowDigest&, const FlowDigest&) = default;
};

class FlowHash {
 public:
  // Nine round keys are made of one key.
  explicit FlowHash(const SipKey& key);

  // Portable. The others are the same, and faster where the CPU has the instructions.
  FlowDigest digest(const FlowKey& flow, uint32_t service_id) const;
  FlowDigest digest_avx2(const FlowKey& flow, uint32_t service_id) const;
  FlowDigest digest_avx512(const FlowKey& flow, uint32_t service_id) const;

 private:
  static __m128i load(const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); }

  // Source and destination go side by side: row r holds k[2r] and k[2r + 1].
  struct alignas(32) Row {
    Block source;
    Block destination;
  };
  std::array<Row, 4> rows_;
  Block last_;
};

[[MAGLB_TARGET_AVX2]] inline FlowDigest FlowHash::digest_avx2(const FlowKey& flow,
                                                              uint32_t service_id) const {
  const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(&flow.source));
  __m128i source = _mm_xor_si128(_mm256_castsi256_si128(both), load(&rows_[0].source));
  __m128i destination = _mm_xor_si128(_mm256_extracti128_si256(both, 1), load(&rows_[0].destination));
  for (size_t r = 1; r < rows_.size(); ++r) {
    source = aes_round(source, load(&rows_[r].source));
    destination = aes_round(destination, load(&rows_[r].destination));
  }
  const __m128i rest = _mm_set_epi64x(service_id, static_cast<int64_t>(flow.rest()));
  __m128i all = _mm_xor_si128(_mm_xor_si128(source, destination), rest);
  all = aes_round(all, load(&last_));
  all = aes_round(all, load(&rows_[0].source));
  all = aes_round(all, load(&rows_[0].destination));
  return {static_cast<uint64_t>(_mm_cvtsi128_si64(all)), static_cast<uint64_t>(_mm_extract_epi64(all, 1))};
}

[[MAGLB_TARGET_AVX512]] inline FlowDigest FlowHash::digest_avx512(const FlowKey& flow,
                                                                  uint32_t service_id) const {
  static_assert(offsetof(FlowKey, destination) == offsetof(FlowKey, source) + 16);
  __m256i both = _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(&flow.source)),
                                  _mm256_load_si256(reinterpret_cast<const __m256i*>(&rows_[0])));
  for (size_t r = 1; r < rows_.size(); ++r) {
    both = _mm256_aesenc_epi128(both, _mm256_load_si256(reinterpret_cast<const __m256i*>(&rows_[r])));
  }
  const __m128i rest = _mm_set_epi64x(service_id, static_cast<int64_t>(flow.rest()));
  __m128i all = _mm_ternarylogic_epi64(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1), rest,
                                       0x96);  // xor of three
  all = aes_round(all, _mm_load_si128(reinterpret_cast<const __m128i*>(&last_)));
  all = aes_round(all, _mm_load_si128(reinterpret_cast<const __m128i*>(&rows_[0].source)));
  all = aes_round(all, _mm_load_si128(reinterpret_cast<const __m128i*>(&rows_[0].destination)));
  return {static_cast<uint64_t>(_mm_cvtsi128_si64(all)), static_cast<uint64_t>(_mm_extract_epi64(all, 1))};
}

}  // namespace maglb
