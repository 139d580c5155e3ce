#include "bench/yardstick.h"

#include <immintrin.h>

#include <cstring>
#include <random>

namespace maglb::bench {

bool Yardstick::runs_here() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("aes");
}

Yardstick::Yardstick(uint64_t places, std::pmr::memory_resource* memory)
    : buckets_((places + 7) / 8, memory), encapsulations_(kBackends), counters_(kBackends) {
  std::mt19937_64 random(3);
  for (uint64_t& word : hash_key_) {
    word = random();
  }
  for (Encapsulation& encapsulation : encapsulations_) {
    for (uint8_t& byte : encapsulation.header) {
      byte = static_cast<uint8_t>(random());
    }
    encapsulation.sum = static_cast<uint32_t>(random() & 0xffff);
  }
  clear();
}

void Yardstick::clear() {
  std::memset(static_cast<void*>(buckets_.data()), 0, buckets_.size() * sizeof(Bucket));
}

[[gnu::target("avx2,aes,bmi,bmi2,lzcnt")]] inline void Yardstick::prepare(Traffic& traffic, uint32_t burst,
                                                                          Prepared& prepared) {
  const auto* key = reinterpret_cast<const __m128i*>(hash_key_);
  // What lies before the addresses (TTL, checksum) is no part of the 5-tuple; the protocol is.
  const __m128i tuple = _mm_set_epi32(-1, -1, -1, 0x0000ff00);
  for (uint32_t i = 0; i < kBatchSize; ++i) {
    prepared.packets[i] = traffic.packet(burst * kBatchSize + i);
    const uint8_t* frame = prepared.packets[i].data;
    __m128i hash = _mm_and_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(frame + 22)), tuple);
    hash = _mm_xor_si128(hash, _mm_loadu_si128(key));
    hash = _mm_aesenc_si128(hash, _mm_loadu_si128(key + 1));
    hash = _mm_aesenc_si128(hash, _mm_loadu_si128(key + 2));
    hash = _mm_aesenc_si128(hash, _mm_loadu_si128(key + 3));
    hash = _mm_aesenc_si128(hash, _mm_loadu_si128(key + 4));
    const auto low = static_cast<uint64_t>(_mm_cvtsi128_si64(hash));
    const auto high = static_cast<uint64_t>(_mm_extract_epi64(hash, 1));
    __extension__ using Wide = unsigned __int128;
    prepared.buckets[i] = &buckets_[static_cast<uint64_t>((static_cast<Wide>(low) * buckets_.size()) >> 64)];
    prepared.tags[i] = static_cast<uint32_t>(high) | 1;
    _mm_prefetch(prepared.buckets[i], _MM_HINT_T0);
  }
}

template <bool kInserts>
[[gnu::target("avx2,aes,bmi,bmi2,lzcnt")]] inline uint64_t Yardstick::finish(Prepared& prepared) {
  uint64_t done = 0;
  for (uint32_t i = 0; i < kBatchSize; ++i) {
    Bucket& bucket = *prepared.buckets[i];
    const __m256i tags = _mm256_load_si256(reinterpret_cast<const __m256i*>(bucket.tags));
    const __m256i wanted = _mm256_set1_epi32(static_cast<int>(prepared.tags[i]));
    auto hit =
        static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(tags, wanted))));
    if constexpr (kInserts) {
      if (hit == 0) {
        hit = static_cast<uint32_t>(
            _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(tags, _mm256_setzero_si256()))));
        if (hit == 0) {
          continue;
        }
        const auto place = static_cast<uint32_t>(__builtin_ctz(hit));
        bucket.tags[place] = prepared.tags[i];
        bucket.backends[place] = prepared.tags[i] % kBackends;
      }
    }
    if (hit == 0) {
      continue;
    }
    ++done;
    const uint32_t backend = bucket.backends[__builtin_ctz(hit)];
    Packet& packet = prepared.packets[i];
    const uint32_t bytes = packet.length - 14u;
    packet.data -= 20;
    packet.length = static_cast<uint16_t>(packet.length + 20);
    uint8_t* const out = packet.data;
    const Encapsulation& encapsulation = encapsulations_[backend];
    std::memcpy(out, encapsulation.header, sizeof encapsulation.header);
    const auto total = static_cast<uint16_t>(__builtin_bswap16(static_cast<uint16_t>(bytes + 20)));
    uint32_t sum = encapsulation.sum + total;
    sum = (sum & 0xffff) + (sum >> 16);
    const auto checksum = static_cast<uint16_t>(~sum);
    std::memcpy(out + 16, &total, 2);
    std::memcpy(out + 24, &checksum, 2);
    counters_[backend].packets += 1;
    counters_[backend].bytes += bytes;
  }
  return done;
}

template <bool kInserts>
[[gnu::target("avx2,aes,bmi,bmi2,lzcnt"), gnu::flatten]] uint64_t Yardstick::run(Traffic& traffic) {
  Prepared prepared[2];
  uint64_t done = 0;
  prepare(traffic, 0, prepared[0]);
  for (uint32_t burst = 0; burst < kBursts; ++burst) {
    if (burst + 1 < kBursts) {
      prepare(traffic, burst + 1, prepared[(burst + 1) & 1]);
    }
    done += finish<kInserts>(prepared[burst & 1]);
  }
  return done;
}

uint64_t Yardstick::find(Traffic& traffic) {
  return run<false>(traffic);
}
uint64_t Yardstick::insert(Traffic& traffic) {
  return run<true>(traffic);
}

}  // namespace maglb::bench
