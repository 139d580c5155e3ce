// Frames for the benchmarks of the whole path: a chunk of bursts that stays in the cache, written anew
// before each measured turn, so that a million flows take no more packet memory than one.
//
// Flow i of a Traffic is a 5-tuple that is i's alone; its service is i modulo the number of services.
#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "lib/lb/batch.h"
#include "lib/net/address.h"

namespace maglb::bench {

inline constexpr uint32_t kBursts = 4;
inline constexpr uint32_t kChunk = kBursts * kBatchSize;  // frames

struct TrafficPlan {
  bool is_v6 = false;
  uint32_t services = 1;
  bool imix = false;  // frames of 64, 594 and 1434 bytes, 7 : 4 : 1; else 64 (78 for IPv6)
};

IpAddress service_address(uint32_t service, bool is_v6);
inline constexpr uint16_t kServicePort = 80;
inline constexpr MacAddress kPortMac{{2, 0, 0, 0, 0, 0xaa}};

class Traffic {
 public:
  // As packet buffers lie in a pool: 2,048 bytes of data room, 128 of headroom, 128 of what the driver keeps.
  static constexpr uint16_t kHeadroom = 128;
  static constexpr uint32_t kStride = 256;

  explicit Traffic(const TrafficPlan& plan);

  // Frame `slot` of the chunk becomes a TCP segment of that flow with those flags.
  void write(uint32_t slot, uint64_t flow, uint8_t tcp_flags);
  uint8_t* frame(uint32_t slot) { return &memory_[slot * size_t{stride_} + kHeadroom]; }
  const Packet& packet(uint32_t slot) const { return packets_[slot]; }

 private:
  using Header = std::array<uint8_t, 80>;
  Header header_of(uint16_t length) const;

  TrafficPlan plan_;
  uint32_t stride_;
  std::vector<Header> headers_;
  std::vector<IpAddress> services_;
  std::pmr::vector<uint8_t> memory_;
  std::vector<Packet> packets_;
};

}  // namespace maglb::bench
