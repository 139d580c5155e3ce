// A burst of packets on its way: plain data, arrays over the burst. It knows bytes, not buffers of a
// driver; the dataplane and replay adapt theirs to it.
//
// A packet's verdict is kPending until a stage decides; stages pass over decided packets.
#pragma once

#include <array>
#include <cstdint>

#include "lib/flow/flow_digest.h"
#include "lib/lb/counters.h"
#include "lib/net/parse.h"
#include "lib/snapshot/view/snapshot.h"

namespace maglb {

inline constexpr uint32_t kBatchSize = 32;

// A frame in one piece. The path moves `data` down into the headroom and changes `length`.
struct Packet {
  uint8_t* data = nullptr;
  uint16_t length = 0;
  uint16_t headroom = 0;  // writable bytes in front of data
  uint16_t tailroom = 0;  // writable bytes behind data + length
  uint8_t in_port = 0;    // index of the port it came from
  // Without it compilers copy a Packet by two words that overlap, and a load of `data` behind such a copy
  // has to wait until both are in the cache.
  uint8_t unused = 0;
};
static_assert(sizeof(Packet) == 16);

enum class Verdict : uint8_t {
  kPending,
  kSend,    // out of out_port
  kKernel,  // not ours; unchanged
  kDrop,    // counted already
};

struct Batch {
  uint32_t size = 0;  // <= kBatchSize
  std::array<Packet, kBatchSize> packets;
  std::array<Verdict, kBatchSize> verdicts;
  std::array<uint8_t, kBatchSize> out_ports;

  // What the stages found out, a packet's together.
  struct alignas(64) Notes {
    ParsedFrame parsed;
    const ServiceView* service;
    const PoolView* pool;
    const BackendView* backend;
    FlowDigest digest;
  };
  static_assert(sizeof(Notes) == 128);
  std::array<Notes, kBatchSize> notes;

  void clear() { size = 0; }
  // REQUIRES: size < kBatchSize.
  void add(const Packet& packet) {
    packets[size] = packet;
    verdicts[size] = Verdict::kPending;
    ++size;
  }
};

}  // namespace maglb
