// What every figure of the path is held against: a straight-line loop that does the least that a tunnel
// balancer can do, over the same frames, in the same run. A keyed hash of the 5-tuple by AES rounds, one
// 64-byte bucket of eight tags compared with one AVX2 instruction and prefetched a burst ahead, a 34-byte
// header copied in front of the packet, the checksum updated, two counters. It checks nothing, has one
// service and no states; it is no balancer, and a balancer's cost is told as a multiple of it.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "bench/traffic.h"

namespace maglb::bench {

class Yardstick {
 public:
  static bool runs_here();  // AVX2 and AES

  // `places` in all, eight to a bucket.
  Yardstick(uint64_t places, std::pmr::memory_resource* memory);

  // One chunk of frames of known flows. Returns how many were found.
  uint64_t find(Traffic& traffic);
  // One chunk of frames of new flows: each is looked for and stored. Returns how many were stored.
  uint64_t insert(Traffic& traffic);
  void clear();

 private:
  struct alignas(64) Bucket {
    uint32_t tags[8];
    uint32_t backends[8];
  };
  struct alignas(64) Encapsulation {
    uint8_t header[34];
    uint32_t sum;
  };
  struct Traffic2 {
    uint64_t packets;
    uint64_t bytes;
  };
  struct Prepared {
    Packet packets[kBatchSize];
    uint32_t tags[kBatchSize];
    Bucket* buckets[kBatchSize];
  };

  template <bool kInserts>
  uint64_t run(Traffic& traffic);
  void prepare(Traffic& traffic, uint32_t burst, Prepared& prepared);
  template <bool kInserts>
  uint64_t finish(Prepared& prepared);

  static constexpr uint32_t kBackends = 128;

  std::pmr::vector<Bucket> buckets_;
  std::vector<Encapsulation> encapsulations_;
  std::vector<Traffic2> counters_;
  uint64_t hash_key_[10];
};

}  // namespace maglb::bench
