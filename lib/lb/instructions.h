// The packet path's own uses of instructions that not every CPU has, one struct a variant, so that the
// path is written once and compiled for each (pipeline.cc).
#pragma once

#include "lib/base/isa.h"
#include "lib/flow/flow_bucket.h"
#include "lib/flow/flow_digest.h"
#include "lib/net/parse.h"

namespace maglb {

struct BaselineInstructions : PortableKeys {
  static FlowDigest digest(const FlowHash& hash, const FlowKey& flow, uint32_t service_id) {
    return hash.digest(flow, service_id);
  }
  static uint32_t match(const FlowBucket& bucket, uint32_t tag) { return match_tags_portable(bucket, tag); }
};

// Both addresses with one store, as the digest loads them: four narrow stores would have to reach the
// cache before that load.
struct WideKeys {
  [[MAGLB_TARGET_AVX2]] static void set_v4(FlowKey& key, const uint8_t* ip) {
    // TTL, protocol, checksum, source, destination, ports.
    const __m256i twice =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(ip + 8)));
    constexpr char kZero = -128;
    const __m256i order = _mm256_setr_epi8(kZero, kZero, kZero, kZero, kZero, kZero, kZero, kZero, kZero,
                                           kZero, kZero, kZero, 4, 5, 6, 7, kZero, kZero, kZero, kZero, kZero,
                                           kZero, kZero, kZero, kZero, kZero, kZero, kZero, 8, 9, 10, 11);
    const __m256i mapped = _mm256_set1_epi64x(0xffff0000);
    const __m256i low_half = _mm256_setr_epi64x(0, -1, 0, -1);
    _mm256_storeu_si256(
        reinterpret_cast<__m256i*>(&key),
        _mm256_or_si256(_mm256_shuffle_epi8(twice, order), _mm256_and_si256(mapped, low_half)));
  }
  [[MAGLB_TARGET_AVX2]] static void set_v6(FlowKey& key, const uint8_t* ip) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(&key),
                        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ip + 8)));
  }
};

struct Avx2Instructions : WideKeys {
  [[MAGLB_TARGET_AVX2]] static FlowDigest digest(const FlowHash& hash, const FlowKey& flow,
                                                 uint32_t service_id) {
    return hash.digest_avx2(flow, service_id);
  }
  [[MAGLB_TARGET_AVX2]] static uint32_t match(const FlowBucket& bucket, uint32_t tag) {
    return match_tags_avx2(bucket, tag);
  }
};

struct Avx512Instructions : WideKeys {
  [[MAGLB_TARGET_AVX512]] static FlowDigest digest(const FlowHash& hash, const FlowKey& flow,
                                                   uint32_t service_id) {
    return hash.digest_avx512(flow, service_id);
  }
  [[MAGLB_TARGET_AVX512]] static uint32_t match(const FlowBucket& bucket, uint32_t tag) {
    return match_tags_avx512(bucket, tag);
  }
};

}  // namespace maglb
