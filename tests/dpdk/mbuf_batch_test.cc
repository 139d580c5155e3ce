#include "dataplane/mbuf_batch.h"

#include <gtest/gtest.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "dataplane/eal.h"

namespace maglb {
namespace {

using Bytes = std::vector<uint8_t>;

class MbufBatch : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (geteuid() != 0) {
      GTEST_SKIP() << "DPDK needs root";
    }
    EalOptions options;
    options.memory_bytes = 32 << 20;
    auto eal = Eal::start(options);
    ASSERT_TRUE(eal) << eal.error().message;
    static Eal keeper = std::move(*eal);
    pool_ = rte_pktmbuf_pool_create("test", 63, 0, 0, 2048, SOCKET_ID_ANY);
    ASSERT_NE(pool_, nullptr);
  }
  void SetUp() override {
    if (pool_ == nullptr) {
      GTEST_SKIP() << "DPDK needs root";
    }
  }

  static rte_mbuf* frame(uint16_t length) {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    auto* data = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(mbuf, length));
    for (uint16_t i = 0; i < length; ++i) {
      data[i] = static_cast<uint8_t>(i);
    }
    return mbuf;
  }

  // A packet in segments of these lengths, its bytes counted through.
  static rte_mbuf* chain(const std::vector<uint16_t>& lengths) {
    rte_mbuf* head = nullptr;
    uint32_t at = 0;
    for (const uint16_t length : lengths) {
      rte_mbuf* segment = frame(length);
      for (uint16_t i = 0; i < length; ++i) {
        rte_pktmbuf_mtod(segment, uint8_t*)[i] = static_cast<uint8_t>(at++ * 7);
      }
      if (head == nullptr) {
        head = segment;
      } else {
        EXPECT_EQ(rte_pktmbuf_chain(head, segment), 0);
      }
    }
    return head;
  }
  static Bytes bytes_of(const rte_mbuf* mbuf) {
    Bytes bytes;
    for (; mbuf != nullptr; mbuf = mbuf->next) {
      const auto* data = rte_pktmbuf_mtod(mbuf, const uint8_t*);
      bytes.insert(bytes.end(), data, data + mbuf->data_len);
    }
    return bytes;
  }
  template <size_t N>
  static void free_all(rte_mbuf* (&mbufs)[N]) {
    rte_pktmbuf_free_bulk(mbufs, N);
    EXPECT_EQ(rte_mempool_in_use_count(pool_), 0u);
  }

  static rte_mempool* pool_;

  std::vector<FlowTable::Bucket> buckets_{2};
  FlowTable flows_{buckets_};
  WorkerCounters counters_{1, 1};
  NextHopTable next_hops_{1};
  WorkerContext context_{flows_, {}, counters_, next_hops_, {}, {}, {}};
  Batch batch_;
};

rte_mempool* MbufBatch::pool_ = nullptr;

TEST_F(MbufBatch, ShowsTheFrameAndTheRoomAroundIt) {
  rte_mbuf* mbuf = frame(100);
  load_batch(batch_, &mbuf, 1, 3, context_);
  ASSERT_EQ(batch_.size, 1u);
  const Packet& packet = batch_.packets[0];
  EXPECT_EQ(packet.data, rte_pktmbuf_mtod(mbuf, uint8_t*));
  EXPECT_EQ(packet.length, 100);
  EXPECT_EQ(packet.headroom, RTE_PKTMBUF_HEADROOM);
  EXPECT_EQ(packet.tailroom, 2048 - RTE_PKTMBUF_HEADROOM - 100);
  EXPECT_EQ(packet.in_port, 3);
  EXPECT_EQ(batch_.verdicts[0], Verdict::kPending);
  rte_pktmbuf_free(mbuf);
}

TEST_F(MbufBatch, TakesBackWhatThePathMovedAndForgetsWhatReceptionSaid) {
  rte_mbuf* mbuf = frame(100);
  mbuf->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_RSS_HASH;
  load_batch(batch_, &mbuf, 1, 0, context_);
  Packet& packet = batch_.packets[0];
  packet.data -= 20;
  packet.length = 110;
  store_packet(packet, *mbuf);
  EXPECT_EQ(rte_pktmbuf_headroom(mbuf), RTE_PKTMBUF_HEADROOM - 20);
  EXPECT_EQ(rte_pktmbuf_pkt_len(mbuf), 110u);
  EXPECT_EQ(rte_pktmbuf_data_len(mbuf), 110u);
  EXPECT_EQ(mbuf->ol_flags, 0u);
  EXPECT_EQ(rte_mbuf_check(mbuf, 1, nullptr), 0);
  rte_pktmbuf_free(mbuf);
}

TEST_F(MbufBatch, ShowsTheHeadOfAPacketInSeveralSegments) {
  rte_mbuf* mbufs[] = {frame(100), chain({60, 1000, 900}), frame(70)};
  const Bytes before = bytes_of(mbufs[1]);
  load_batch(batch_, mbufs, 3, 0, context_);
  EXPECT_EQ(batch_.size, 3u);
  const Packet& packet = batch_.packets[1];
  EXPECT_EQ(batch_.verdicts[1], Verdict::kPending);
  EXPECT_EQ(packet.is_segmented, 1);
  EXPECT_EQ(packet.length, 1960);
  EXPECT_EQ(packet.tailroom, 0);
  EXPECT_EQ(Bytes(packet.data, packet.data + kSegmentHead), Bytes(before.begin(), before.begin() + 256));
  EXPECT_EQ(bytes_of(mbufs[1]), before);
  EXPECT_EQ(rte_mbuf_check(mbufs[1], 1, nullptr), 0);
  EXPECT_EQ(batch_.packets[0].is_segmented + batch_.packets[2].is_segmented, 0);
  free_all(mbufs);
}

TEST_F(MbufBatch, PullsASmallPacketTogetherAndFreesWhatIsEmpty) {
  rte_mbuf* mbufs[] = {chain({20, 30, 40}), chain({256, 1}), chain({1, 0, 255})};
  const Bytes before[] = {bytes_of(mbufs[0]), bytes_of(mbufs[1]), bytes_of(mbufs[2])};
  load_batch(batch_, mbufs, 3, 0, context_);
  for (size_t i : {0u, 2u}) {
    EXPECT_EQ(mbufs[i]->nb_segs, 1);
    EXPECT_EQ(batch_.packets[i].is_segmented, 0);
    EXPECT_EQ(batch_.packets[i].length, before[i].size());
    EXPECT_EQ(batch_.packets[i].tailroom, rte_pktmbuf_tailroom(mbufs[i]));
    EXPECT_EQ(bytes_of(mbufs[i]), before[i]);
  }
  EXPECT_EQ(batch_.packets[1].is_segmented, 1) << "its last byte is not of the head";
  EXPECT_EQ(bytes_of(mbufs[1]), before[1]);
  free_all(mbufs);
}

TEST_F(MbufBatch, DropsAPacketWhoseHeadHasNoRoomAndKeepsItsPlaceInTheBurst) {
  rte_mbuf* mbufs[] = {frame(100), chain({60, 1000}), chain({60, 1000}), frame(70)};
  mbufs[1]->data_off = static_cast<uint16_t>(mbufs[1]->buf_len - 60);
  rte_mbuf_refcnt_update(mbufs[2]->next, 1);
  rte_mbuf* const shared = mbufs[2]->next;
  load_batch(batch_, mbufs, 4, 0, context_);
  EXPECT_EQ(batch_.size, 4u);
  EXPECT_EQ(batch_.verdicts[0], Verdict::kPending);
  EXPECT_EQ(batch_.verdicts[1], Verdict::kDrop);
  EXPECT_EQ(batch_.verdicts[2], Verdict::kDrop) << "another has that segment, too";
  EXPECT_EQ(batch_.verdicts[3], Verdict::kPending);
  EXPECT_EQ(counters_.dropped[static_cast<size_t>(DropReason::kMultiSegment)].value(), 2u);
  rte_pktmbuf_free(shared);
  free_all(mbufs);
}

TEST_F(MbufBatch, TakesBackAnOuterHeaderInFrontOfSegments) {
  rte_mbuf* mbufs[] = {chain({300, 1000, 700})};
  const Bytes before = bytes_of(mbufs[0]);
  load_batch(batch_, mbufs, 1, 0, context_);
  Packet& packet = batch_.packets[0];
  packet.data -= 20;
  packet.length = static_cast<uint16_t>(packet.length + 20 - 4);  // and without 4 bytes of padding
  std::fill_n(packet.data, 20, uint8_t{0xee});
  store_packet(packet, *mbufs[0]);
  Bytes expected(before.begin(), before.end() - 4);
  expected.insert(expected.begin(), 20, 0xee);
  EXPECT_EQ(bytes_of(mbufs[0]), expected);
  EXPECT_EQ(mbufs[0]->nb_segs, 3);
  EXPECT_EQ(rte_mbuf_check(mbufs[0], 1, nullptr), 0);
  free_all(mbufs);
}

TEST_F(MbufBatch, FreesTheSegmentsThatAShorterFrameDoesNotNeed) {
  for (const uint16_t length : {60, 256, 300, 301, 1300, 1301, 1999}) {
    rte_mbuf* mbufs[] = {chain({300, 1000, 700})};
    const Bytes before = bytes_of(mbufs[0]);
    load_batch(batch_, mbufs, 1, 0, context_);
    batch_.packets[0].length = length;
    store_packet(batch_.packets[0], *mbufs[0]);
    EXPECT_EQ(bytes_of(mbufs[0]), Bytes(before.begin(), before.begin() + length));
    EXPECT_EQ(mbufs[0]->nb_segs, length <= 300 ? 1 : length <= 1300 ? 2 : 3);
    EXPECT_EQ(rte_mempool_in_use_count(pool_), mbufs[0]->nb_segs);
    EXPECT_EQ(rte_mbuf_check(mbufs[0], 1, nullptr), 0);
    free_all(mbufs);
  }
}

TEST_F(MbufBatch, GivesExtraFramesUntilThePoolIsEmpty) {
  rte_mempool* pool = pool_;
  ExtraFrames frames(mbufs_of(pool));
  const ExtraFrame* frame = frames.take(100, 1500);
  ASSERT_NE(frame, nullptr);
  auto* const mbuf = static_cast<rte_mbuf*>(frame->handle);
  EXPECT_EQ(frame->packet.headroom, 100);
  EXPECT_EQ(frame->packet.tailroom, mbuf->buf_len - 1600);
  store_packet(frame->packet, *mbuf);
  EXPECT_EQ(rte_pktmbuf_pkt_len(mbuf), 1500u);
  EXPECT_EQ(rte_pktmbuf_headroom(mbuf), 100);
  EXPECT_EQ(rte_mbuf_check(mbuf, 1, nullptr), 0);
  while (frames.take(0, 1) != nullptr) {
  }
  EXPECT_EQ(frames.size(), 63u);
  frames.give_back(0);
  EXPECT_EQ(rte_mempool_in_use_count(pool_), 0u);
}

TEST_F(MbufBatch, TakesAnIndirectBufferForWhatItShows) {
  rte_mbuf* direct = frame(100);
  rte_mbuf* indirect = rte_pktmbuf_alloc(pool_);
  rte_pktmbuf_attach(indirect, direct);
  load_batch(batch_, &indirect, 1, 0, context_);
  EXPECT_EQ(batch_.packets[0].data, rte_pktmbuf_mtod(direct, uint8_t*));
  EXPECT_EQ(batch_.packets[0].length, 100);
  store_packet(batch_.packets[0], *indirect);
  EXPECT_TRUE(RTE_MBUF_CLONED(indirect));
  rte_pktmbuf_free(indirect);
  rte_pktmbuf_free(direct);
  EXPECT_EQ(rte_mempool_in_use_count(pool_), 0u);
}

}  // namespace
}  // namespace maglb
