#include "dataplane/mbuf_segments.h"

#include <rte_mbuf.h>

#include <algorithm>
#include <cstring>

namespace maglb {
namespace {

// Takes the second segment, which is empty, out of the chain.
void unlink_second(rte_mbuf& mbuf) {
  rte_mbuf* const second = mbuf.next;
  mbuf.next = second->next;
  second->next = nullptr;
  second->nb_segs = 1;
  --mbuf.nb_segs;
  rte_pktmbuf_free_seg(second);
}

// Moves bytes of the second segment behind those of the first until that has `wanted`.
bool pull_up(rte_mbuf& mbuf, uint16_t wanted) {
  if (wanted - std::min(mbuf.data_len, wanted) > rte_pktmbuf_tailroom(&mbuf)) {
    return false;
  }
  while (mbuf.data_len < wanted && mbuf.next != nullptr) {
    rte_mbuf* const second = mbuf.next;
    if (rte_mbuf_refcnt_read(second) != 1) {
      return false;
    }
    const auto bytes = std::min<uint16_t>(static_cast<uint16_t>(wanted - mbuf.data_len), second->data_len);
    std::memcpy(rte_pktmbuf_mtod_offset(&mbuf, uint8_t*, mbuf.data_len),
                rte_pktmbuf_mtod(second, const uint8_t*), bytes);
    mbuf.data_len = static_cast<uint16_t>(mbuf.data_len + bytes);
    second->data_off = static_cast<uint16_t>(second->data_off + bytes);
    second->data_len = static_cast<uint16_t>(second->data_len - bytes);
    if (second->data_len == 0) {
      unlink_second(mbuf);
    }
  }
  return mbuf.data_len >= wanted;
}

// Frees what is behind `length` bytes of the chain.
void cut_behind(rte_mbuf& mbuf, uint32_t length) {
  rte_mbuf* last = &mbuf;
  uint32_t before = 0;
  uint16_t segments = 1;
  while (before + last->data_len < length && last->next != nullptr) {
    before += last->data_len;
    last = last->next;
    ++segments;
  }
  last->data_len = static_cast<uint16_t>(std::min<uint32_t>(last->data_len, length - before));
  rte_mbuf* const rest = last->next;
  last->next = nullptr;
  mbuf.nb_segs = segments;
  mbuf.pkt_len = before + last->data_len;
  for (rte_mbuf* segment = rest; segment != nullptr;) {
    rte_mbuf* const next = segment->next;
    segment->next = nullptr;
    segment->nb_segs = 1;
    rte_pktmbuf_free_seg(segment);
    segment = next;
  }
}

}  // namespace

bool show_segments(rte_mbuf& mbuf, Packet& packet) {
  const uint32_t length = mbuf.pkt_len;
  if (length > UINT16_MAX ||
      !pull_up(mbuf, static_cast<uint16_t>(std::min<uint32_t>(length, kSegmentHead)))) {
    return false;
  }
  packet.length = static_cast<uint16_t>(length);
  packet.is_segmented = mbuf.nb_segs != 1 ? 1 : 0;
  packet.tailroom = mbuf.nb_segs != 1 ? uint16_t{0} : rte_pktmbuf_tailroom(&mbuf);
  return true;
}

void store_segments(const Packet& packet, rte_mbuf& mbuf) {
  const auto in_front = static_cast<int32_t>(rte_pktmbuf_mtod(&mbuf, uint8_t*) - packet.data);
  mbuf.data_off = static_cast<uint16_t>(mbuf.data_off - in_front);
  mbuf.data_len = static_cast<uint16_t>(mbuf.data_len + in_front);
  mbuf.ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
  cut_behind(mbuf, packet.length);
}

}  // namespace maglb
