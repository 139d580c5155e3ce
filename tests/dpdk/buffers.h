// DPDK with a pool of packet buffers, once a program. Needs root; without it the tests are skipped.
#pragma once

#include <gtest/gtest.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <utility>

#include "dataplane/eal.h"

namespace maglb::testing {

class BuffersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) {
      GTEST_SKIP() << "DPDK needs root";
    }
    ASSERT_NE(pool(), nullptr);
  }
  static rte_mempool* pool() {
    static rte_mempool* const made = make_pool();
    return made;
  }
  static unsigned in_use() { return rte_mempool_in_use_count(pool()); }

 private:
  static rte_mempool* make_pool() {
    EalOptions options;
    options.memory_bytes = 32 << 20;
    auto eal = Eal::start(options);
    if (!eal) {
      ADD_FAILURE() << eal.error().message;
      return nullptr;
    }
    static Eal keeper = std::move(*eal);
    return rte_pktmbuf_pool_create("test", 4095, 0, 0, 512, SOCKET_ID_ANY);
  }
};

}  // namespace maglb::testing
