// Quiescent states (rte_rcu_qsbr): how the main core learns that no worker reads an old snapshot any
// more. A worker reports after each burst that it holds nothing, and is offline while it sleeps.
//
// Memory: rte_rcu_qsbr gives each reader a cache line, and the token, which the main core writes when
// something is published, another. It lies on the main core's socket.
//
// Threads: start() and passed() on the main core; the others by the reader of that number.
#pragma once

#include <rte_rcu_qsbr.h>

#include <cstdint>
#include <memory>

#include "lib/base/check.h"

namespace maglb {

static_assert(sizeof(rte_rcu_qsbr_cnt) % RTE_CACHE_LINE_SIZE == 0);

// On a line of its own: workers read where the counters are after every burst.
class alignas(RTE_CACHE_LINE_SIZE) Grace {
 public:
  explicit Grace(uint32_t readers)
      : memory_(new (std::align_val_t{RTE_CACHE_LINE_SIZE}) char[rte_rcu_qsbr_get_memsize(readers)]) {
    check(rte_rcu_qsbr_init(qsbr(), readers) == 0, "rte_rcu_qsbr_init");
    for (uint32_t reader = 0; reader < readers; ++reader) {
      check(rte_rcu_qsbr_thread_register(qsbr(), reader) == 0, "rte_rcu_qsbr_thread_register");
    }
  }

  void online(uint32_t reader) { rte_rcu_qsbr_thread_online(qsbr(), reader); }
  void offline(uint32_t reader) { rte_rcu_qsbr_thread_offline(qsbr(), reader); }
  void quiescent(uint32_t reader) { rte_rcu_qsbr_quiescent(qsbr(), reader); }

  // What was unpublished before start() may be freed when passed(its token). Never waits.
  uint64_t start() { return rte_rcu_qsbr_start(qsbr()); }
  bool passed(uint64_t token) { return rte_rcu_qsbr_check(qsbr(), token, false) == 1; }

 private:
  struct Free {
    void operator()(char* memory) const {
      ::operator delete[](memory, std::align_val_t{RTE_CACHE_LINE_SIZE});
    }
  };
  rte_rcu_qsbr* qsbr() { return reinterpret_cast<rte_rcu_qsbr*>(memory_.get()); }

  std::unique_ptr<char[], Free> memory_;
};

}  // namespace maglb
