// Between mbufs and the packet path's Batch. The i-th packet of a batch is the i-th mbuf of the burst.
//
// An mbuf may be direct, indirect or external, but in one segment and not shared: the path writes
// into it.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "lib/lb/batch.h"
#include "lib/lb/decide.h"

namespace maglb {

// A packet in more than one buffer is dropped here: the path takes frames in one piece. It stays in the
// batch, so that it is counted as received.
inline void load_batch(Batch& batch, rte_mbuf* const* mbufs, uint16_t count, uint8_t port,
                       WorkerContext& worker) {
  batch.clear();
  for (uint16_t i = 0; i < count; ++i) {
    const rte_mbuf* mbuf = mbufs[i];
    __builtin_prefetch(rte_pktmbuf_mtod(mbuf, uint8_t*));
    batch.add({rte_pktmbuf_mtod(mbuf, uint8_t*), rte_pktmbuf_data_len(mbuf), rte_pktmbuf_headroom(mbuf),
               rte_pktmbuf_tailroom(mbuf), port});
    if (mbuf->nb_segs != 1) [[unlikely]] {
      drop(batch, i, worker, DropReason::kMultiSegment);
    }
  }
}

// What the path did to the frame, told to the mbuf. What reception found out about it holds no more.
inline void store_packet(const Packet& packet, rte_mbuf& mbuf) {
  mbuf.data_off = static_cast<uint16_t>(packet.data - static_cast<uint8_t*>(mbuf.buf_addr));
  mbuf.data_len = packet.length;
  mbuf.pkt_len = packet.length;
  mbuf.ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
}

}  // namespace maglb
