// A burst of packets on its way: plain data, arrays over the burst. It knows bytes, not buffers of a
// driver; the dataplane and replay adapt theirs to it.
//
// A packet's verdict is kPending until a stage decides; stages pass over decided packets.
#pragma once

#include <array>
#include <cstdint>

#include "lib/flow/flow_digest.h"
#include "lib/lb/counters.h"
#include "lib/lb/packet.h"
#include "lib/net/parse.h"
#include "lib/snapshot/view/snapshot.h"

namespace maglb {

inline constexpr uint32_t kBatchSize = 32;

enum class Verdict : uint8_t {
  kPending,
  kSend,      // out of out_port
  kKernel,    // not ours; unchanged
  kDrop,      // counted already
  kHeld,      // the path keeps the buffer until it gives it back (fragments.h)
  kHandOver,  // to another worker, targets[i], which counts it as received
};

struct Batch {
  uint32_t size = 0;  // <= kBatchSize
  // Of these packets, handed over: hand_over() counts them.
  uint32_t handed_over = 0;
  // They come from another worker: none is handed over again.
  bool is_handed = false;
  // They were held, and counted as received before.
  bool is_released = false;
  // What its owner knows each packet's buffer by; null: none of them can be held.
  void* const* handles = nullptr;
  std::array<Packet, kBatchSize> packets;
  std::array<Verdict, kBatchSize> verdicts;
  std::array<uint8_t, kBatchSize> out_ports;
  std::array<uint8_t, kBatchSize> targets;  // of kHandOver: the worker's number

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

  void clear() {
    size = 0;
    handed_over = 0;
    is_handed = false;
    is_released = false;
    handles = nullptr;
  }
  uintptr_t handle(size_t i) const { return reinterpret_cast<uintptr_t>(handles[i]); }
  // REQUIRES: size < kBatchSize.
  void add(const Packet& packet) {
    packets[size] = packet;
    verdicts[size] = Verdict::kPending;
    ++size;
  }
};

}  // namespace maglb
