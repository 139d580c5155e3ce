#include "dataplane/inbox.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "tests/dpdk/buffers.h"

namespace maglb {
namespace {

class InboxTest : public testing::BuffersTest {
 protected:
  std::vector<rte_mbuf*> packets(size_t count) {
    std::vector<rte_mbuf*> made;
    for (size_t i = 0; i < count; ++i) {
      made.push_back(rte_pktmbuf_alloc(pool()));
    }
    return made;
  }
  static bool is_woken(const Inbox& inbox) {
    pollfd wait{inbox.wake_fd(), POLLIN, 0};
    return poll(&wait, 1, 0) == 1;
  }
};

TEST_F(InboxTest, GivesWhatWasPutInItsOrder) {
  Inbox inbox(std::pmr::new_delete_resource());
  const auto put = packets(40);
  EXPECT_EQ(inbox.put(put), 40u);
  std::array<rte_mbuf*, 32> out{};
  ASSERT_EQ(inbox.take(out), 32u);
  EXPECT_TRUE(std::equal(out.begin(), out.end(), put.begin()));
  ASSERT_EQ(inbox.take(out), 8u);
  EXPECT_TRUE(std::equal(out.begin(), out.begin() + 8, put.begin() + 32));
  EXPECT_EQ(inbox.take(out), 0u);
  rte_pktmbuf_free_bulk(const_cast<rte_mbuf**>(put.data()), 40);
}

TEST_F(InboxTest, TakesNoMoreThanItHasRoomForAndFreesWhatNobodyTook) {
  {
    Inbox inbox(std::pmr::new_delete_resource());
    const auto put = packets(Inbox::kSlots + 10);
    EXPECT_EQ(inbox.put(put), Inbox::kSlots - 1);
    EXPECT_EQ(inbox.put(std::span(put).last(11)), 0u);
    rte_pktmbuf_free_bulk(const_cast<rte_mbuf**>(put.data()) + Inbox::kSlots - 1, 11);
  }
  EXPECT_EQ(in_use(), 0u);
}

TEST_F(InboxTest, WakesOnlyAWorkerThatSleeps) {
  Inbox inbox(std::pmr::new_delete_resource());
  const auto put = packets(3);
  std::array<rte_mbuf*, 4> out{};
  inbox.put(std::span(put).first(1));
  EXPECT_FALSE(is_woken(inbox));
  EXPECT_FALSE(inbox.may_sleep()) << "something lies there";
  ASSERT_EQ(inbox.take(out), 1u);
  EXPECT_TRUE(inbox.may_sleep());
  inbox.put(std::span(put).subspan(1, 1));
  EXPECT_TRUE(is_woken(inbox));
  uint64_t times = 0;
  ASSERT_EQ(read(inbox.wake_fd(), &times, sizeof times), 8);
  inbox.put(std::span(put).subspan(2, 1));
  EXPECT_FALSE(is_woken(inbox)) << "it was woken already";
  rte_pktmbuf_free(put[0]);
}

TEST_F(InboxTest, ManyWorkersPutAndNothingIsLostOrDoubled) {
  constexpr size_t kEach = 300;
  Inbox inbox(std::pmr::new_delete_resource());
  std::vector<std::thread> workers;
  const auto all = packets(3 * kEach);
  for (size_t i = 0; i < 3; ++i) {
    workers.emplace_back([&, i] {
      for (size_t at = 0; at < kEach;) {
        at += inbox.put(std::span(all).subspan(i * kEach + at, std::min<size_t>(7, kEach - at)));
      }
    });
  }
  std::vector<rte_mbuf*> taken;
  std::array<rte_mbuf*, 32> out{};
  while (taken.size() < all.size()) {
    const uint32_t count = inbox.take(out);
    taken.insert(taken.end(), out.begin(), out.begin() + count);
  }
  for (auto& worker : workers) {
    worker.join();
  }
  auto sorted = all;
  std::sort(taken.begin(), taken.end());
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(taken, sorted);
  rte_pktmbuf_free_bulk(taken.data(), static_cast<unsigned>(taken.size()));
}

}  // namespace
}  // namespace maglb
