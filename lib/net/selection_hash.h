// The selection hash: which slot of a Maglev table a 5-tuple has. The same on every machine of a
// fleet, so it is part of the product's contract, bit for bit:
//
//   mix(a, b)  = high64(a * b) xor low64(a * b)                       (a * b in 128 bits)
//   k[i]       = output i of SplitMix64 started at `seed`             (i = 0..4)
//   load(p)    = 8 bytes at p, little-endian
//   ports      = load(source port, destination port, protocol, 3 zero bytes)   (as they lie in FlowKey)
//   h          = mix(load(src) xor k0, load(src+8) xor k1)
//                xor mix(load(dst) xor k2 xor ports, load(dst+8) xor k3)
//   hash       = mix(h xor k4, 0x9e3779b97f4a7c15 xor ports)
//   slot       = high64(hash * table_size)
//
// A pool with scheduler source-hash hashes the same with all but the source zero (destination, ports and
// protocol), and the source cut to the pool's prefix: a client's flows have one slot.
//
// Addresses are the 16 bytes of IpAddress. Test vectors: tests/unit/net/selection_hash_test.cc.
// It spreads load and is cheap without special instructions; it is not a keyed hash in the sense of
// cryptography: who knows the seed can choose tuples for a slot. Flow identity never rests on it.
#pragma once

#include <cstdint>

#include "lib/net/flow_key.h"

namespace maglb {

class SelectionHash {
 public:
  explicit SelectionHash(uint64_t seed = 0) {
    for (uint64_t& k : k_) {
      seed += 0x9e3779b97f4a7c15;
      uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      k = z ^ (z >> 31);
    }
  }

  uint64_t operator()(const FlowKey& key) const {
    const uint64_t ports = load_le64(&key.source_port);
    const uint8_t* source = key.source.bytes.data();
    const uint8_t* destination = key.destination.bytes.data();
    const uint64_t h = mix(load_le64(source) ^ k_[0], load_le64(source + 8) ^ k_[1]) ^
                       mix(load_le64(destination) ^ k_[2] ^ ports, load_le64(destination + 8) ^ k_[3]);
    return mix(h ^ k_[4], 0x9e3779b97f4a7c15 ^ ports);
  }

  // The slot of `hash` in a table of `table_size` slots.
  static uint32_t slot(uint64_t hash, uint32_t table_size) {
    return static_cast<uint32_t>((static_cast<Wide>(hash) * table_size) >> 64);
  }

 private:
  __extension__ using Wide = unsigned __int128;

  static uint64_t mix(uint64_t a, uint64_t b) {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(product >> 64) ^ static_cast<uint64_t>(product);
  }

  uint64_t k_[5];
};

}  // namespace maglb
