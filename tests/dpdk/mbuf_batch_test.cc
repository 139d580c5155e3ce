#include "dataplane/mbuf_batch.h"

#include <gtest/gtest.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "dataplane/eal.h"

namespace maglb {
namespace {

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

TEST_F(MbufBatch, DropsAPacketInSeveralSegmentsAndKeepsItsPlaceInTheBurst) {
  rte_mbuf* mbufs[] = {frame(100), frame(60), frame(70)};
  ASSERT_EQ(rte_pktmbuf_chain(mbufs[1], frame(60)), 0);
  load_batch(batch_, mbufs, 3, 0, context_);
  EXPECT_EQ(batch_.size, 3u);
  EXPECT_EQ(batch_.verdicts[0], Verdict::kPending);
  EXPECT_EQ(batch_.verdicts[1], Verdict::kDrop);
  EXPECT_EQ(batch_.verdicts[2], Verdict::kPending);
  EXPECT_EQ(counters_.dropped[static_cast<size_t>(DropReason::kMultiSegment)].value(), 1u);
  rte_pktmbuf_free_bulk(mbufs, 3);
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
