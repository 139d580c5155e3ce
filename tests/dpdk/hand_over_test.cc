// Two workers on a device of rings: each leaves all that it receives to the other one.
#include <gtest/gtest.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include <array>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "dataplane/worker.h"
#include "lib/lb/decide.h"
#include "tests/dpdk/buffers.h"

namespace maglb {
namespace {

constexpr uint8_t kPort = 3;  // the index of ours, which is not the driver's number

void leave_to_the_other(Batch& batch, const Snapshot&, WorkerContext& worker, Time) {
  for (uint32_t i = 0; i < batch.size; ++i) {
    if (hand_over(batch, i, worker, 1 - worker.number)) {
      continue;
    }
    batch.out_ports[i] = 0;
    batch.verdicts[i] = Verdict::kSend;
    if (batch.packets[i].in_port != kPort) {
      drop(batch, i, worker, DropReason::kLoop);
    }
  }
  worker.counters.received.add(batch.size - batch.handed_over);
}

class HandOver : public testing::BuffersTest {
 protected:
  void SetUp() override {
    BuffersTest::SetUp();
    if (IsSkipped()) {
      return;
    }
    make_device();
    for (uint32_t i = 0; i < 2; ++i) {
      workers_.push_back(
          Worker::create({i, i, i + 1, 0}, shared_, published_, 1024, std::pmr::new_delete_resource()));
      tables_.push_back(&workers_[i]->flows());
      inboxes_.push_back(&workers_[i]->inbox());
    }
    for (uint16_t i = 0; i < 2; ++i) {
      const RxQueue queue{{device_, i}, kPort, -1};
      const QueueId transmit{device_, i};
      workers_[i]->connect(tables_, inboxes_, {&queue, 1}, {&transmit, 1});
    }
  }
  void TearDown() override {
    stop();
    workers_.clear();
    if (pool() != nullptr && geteuid() == 0) {
      drain_sent();
      EXPECT_EQ(in_use(), 0u);
    }
  }

  void give(uint16_t queue, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      rte_mbuf* mbuf = rte_pktmbuf_alloc(pool());
      rte_pktmbuf_append(mbuf, 60);
      ASSERT_EQ(rte_ring_enqueue(rx()[queue], mbuf), 0);
    }
  }
  void run(uint32_t worker) {
    threads_.emplace_back([this, worker] { workers_[worker]->run(); });
  }
  void stop() {
    stop_.store(true);
    for (auto& thread : threads_) {
      thread.join();
    }
    threads_.clear();
  }
  template <typename Done>
  static void eventually(const Done& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
  size_t drain_sent() {
    size_t count = 0;
    void* mbuf = nullptr;
    for (rte_ring* ring : tx()) {
      for (; rte_ring_dequeue(ring, &mbuf) == 0; ++count) {
        rte_pktmbuf_free(static_cast<rte_mbuf*>(mbuf));
      }
    }
    return count;
  }
  uint64_t refused(uint32_t worker) const {
    return workers_[worker]->figures().dropped[static_cast<size_t>(DropReason::kHandOverFull)];
  }

 private:
  using Rings = std::array<rte_ring*, 2>;
  static Rings make_rings(const char* a, const char* b) {
    return {rte_ring_create(a, 4096, SOCKET_ID_ANY, 0), rte_ring_create(b, 4096, SOCKET_ID_ANY, 0)};
  }
  static Rings& rx() {
    static Rings rings = make_rings("rx0", "rx1");
    return rings;
  }
  static Rings& tx() {
    static Rings rings = make_rings("tx0", "tx1");
    return rings;
  }
  static void make_device() {
    static const int device = [] {
      const int made = rte_eth_from_rings("handover", rx().data(), 2, tx().data(), 2, SOCKET_ID_ANY);
      const rte_eth_conf conf{};
      const auto id = static_cast<uint16_t>(made);
      bool good = made >= 0 && rte_eth_dev_configure(id, 2, 2, &conf) == 0;
      for (uint16_t queue = 0; good && queue < 2; ++queue) {
        good = rte_eth_rx_queue_setup(id, queue, 512, SOCKET_ID_ANY, nullptr, pool()) == 0 &&
               rte_eth_tx_queue_setup(id, queue, 512, SOCKET_ID_ANY, nullptr) == 0;
      }
      return good && rte_eth_dev_start(id) == 0 ? made : -1;
    }();
    ASSERT_GE(device, 0);
    device_ = static_cast<uint16_t>(device);
  }

  static inline uint16_t device_ = 0;
  Snapshot snapshot_{1,
                     std::make_shared<ServiceIndex>(std::span<const ServiceIndex::Service>{},
                                                    std::pmr::get_default_resource()),
                     Snapshot::Pools(std::pmr::get_default_resource())};
  Grace grace_{2};
  std::atomic<bool> stop_{false};
  NextHopTable next_hops_{8};
  std::array<PortView, kPort + 1> ports_;
  std::atomic<const Snapshot*> published_{&snapshot_};
  Worker::Shared shared_{
      TscClock(1'000'000'000), grace_,  stop_, next_hops_, ports_, {}, {}, {}, 1, 1, IdlePolicy::kAdaptive,
      leave_to_the_other,      nullptr, 2};
  std::vector<const FlowTable*> tables_;
  std::vector<Inbox*> inboxes_;

 protected:
  std::vector<Worker::Owner> workers_;
  std::vector<std::thread> threads_;
};

TEST_F(HandOver, WhoTakesAPacketCountsIt) {
  give(0, 700);
  give(1, 300);
  run(0);
  run(1);
  eventually([this] { return workers_[0]->figures().sent == 300 && workers_[1]->figures().sent == 700; });
  stop();
  EXPECT_EQ(workers_[0]->figures().received, 300u);
  EXPECT_EQ(workers_[1]->figures().received, 700u);
  EXPECT_EQ(drain_sent(), 1000u);
}

TEST_F(HandOver, WhatIsTooMuchIsDroppedByWhoWouldHaveHandedItOver) {
  give(0, 1500);
  run(0);
  eventually([this] { return refused(0) == 1500 - (Inbox::kSlots - 1); });
  EXPECT_EQ(workers_[0]->figures().received, refused(0));
  run(1);
  eventually([this] { return workers_[1]->figures().sent == Inbox::kSlots - 1; });
  EXPECT_EQ(workers_[1]->figures().received, Inbox::kSlots - 1);
}

TEST_F(HandOver, WhatNobodyTookIsFreedWithTheWorker) {
  give(0, 100);
  run(0);
  std::array<rte_mbuf*, 1> first{};
  eventually([&] { return workers_[1]->inbox().take(first) == 1; });
  rte_pktmbuf_free(first[0]);
}

}  // namespace
}  // namespace maglb
