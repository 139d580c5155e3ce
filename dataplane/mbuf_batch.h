// Between mbufs and the packet path's Batch. The i-th packet of a batch is the i-th mbuf of the burst.
//
// An mbuf may be direct, indirect or external, but not shared: the path writes into it. One in several
// segments is shown by its first kSegmentHead bytes, which are pulled together (mbuf_segments.h).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/mbuf_segments.h"
#include "lib/lb/batch.h"
#include "lib/lb/decide.h"
#include "lib/lb/extra_frames.h"

namespace maglb {

// A packet in segments whose head cannot be pulled together is dropped here. It stays in the batch, so that
// it is counted as received.
inline void add_mbuf(Batch& batch, rte_mbuf* mbuf, uint8_t port, WorkerContext& worker) {
  __builtin_prefetch(rte_pktmbuf_mtod(mbuf, uint8_t*));
  batch.add({rte_pktmbuf_mtod(mbuf, uint8_t*), rte_pktmbuf_data_len(mbuf), rte_pktmbuf_headroom(mbuf),
             rte_pktmbuf_tailroom(mbuf), port});
  if (mbuf->nb_segs != 1 && !show_segments(*mbuf, batch.packets[batch.size - 1])) [[unlikely]] {
    drop(batch, batch.size - 1, worker, DropReason::kMultiSegment);
  }
}

// Packets that one of our ports received.
inline void load_batch(Batch& batch, rte_mbuf* const* mbufs, uint16_t count, uint8_t port,
                       WorkerContext& worker) {
  batch.clear();
  for (uint16_t i = 0; i < count; ++i) {
    add_mbuf(batch, mbufs[i], port, worker);
  }
}

// Before the packet is left to somebody else, or for later: says which of our ports it came by where the
// driver's number was, of which there are several to a port.
inline void on_its_way(const Packet& packet, rte_mbuf& mbuf) {
  mbuf.port = packet.in_port;
}
// Packets that were on their way.
inline void load_taken(Batch& batch, rte_mbuf* const* mbufs, uint16_t count, WorkerContext& worker) {
  batch.clear();
  for (uint16_t i = 0; i < count; ++i) {
    add_mbuf(batch, mbufs[i], static_cast<uint8_t>(mbufs[i]->port), worker);
  }
}

// What the path did to the frame, told to the mbuf. What reception found out about it holds no more.
inline void store_packet(const Packet& packet, rte_mbuf& mbuf) {
  if (mbuf.nb_segs != 1) [[unlikely]] {
    return store_segments(packet, mbuf);
  }
  mbuf.data_off = static_cast<uint16_t>(packet.data - static_cast<uint8_t*>(mbuf.buf_addr));
  mbuf.data_len = packet.length;
  mbuf.pkt_len = packet.length;
  mbuf.ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
}

// Extra frames in mbufs of `pool`, as it is when one is asked for. `pool` outlives what is made of it.
inline FrameBuffers mbufs_of(rte_mempool*& pool) {
  const auto take = [](void* from, ExtraFrame& frame) {
    rte_mbuf* const mbuf = rte_pktmbuf_alloc(*static_cast<rte_mempool**>(from));
    if (mbuf == nullptr) {
      return false;
    }
    frame.handle = mbuf;
    frame.packet = Packet{};
    frame.packet.data = static_cast<uint8_t*>(mbuf->buf_addr);
    frame.packet.tailroom = mbuf->buf_len;
    return true;
  };
  const auto give_back = [](void*, void* handle) { rte_pktmbuf_free(static_cast<rte_mbuf*>(handle)); };
  return {take, give_back, &pool};
}

}  // namespace maglb
