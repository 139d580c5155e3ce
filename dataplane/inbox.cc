#include "dataplane/inbox.h"

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/check.h"

namespace maglb {

size_t Inbox::memory_bytes() {
  return static_cast<size_t>(rte_ring_get_memsize(kSlots));
}

Inbox::Inbox(std::pmr::memory_resource* memory)
    : memory_(memory),
      ring_(static_cast<rte_ring*>(memory->allocate(memory_bytes(), alignof(Inbox)))),
      wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  const int rc = rte_ring_init(ring_, "inbox", kSlots, RING_F_MP_RTS_ENQ | RING_F_SC_DEQ);
  check(rc == 0, "a ring of a power of two");
}

Inbox::~Inbox() {
  void* packet = nullptr;
  while (rte_ring_dequeue(ring_, &packet) == 0) {
    rte_pktmbuf_free(static_cast<rte_mbuf*>(packet));
  }
  memory_->deallocate(ring_, memory_bytes(), alignof(Inbox));
  if (wake_fd_ >= 0) {
    close(wake_fd_);
  }
}

uint32_t Inbox::put(std::span<rte_mbuf* const> packets) {
  const uint32_t taken = rte_ring_enqueue_burst(ring_, reinterpret_cast<void* const*>(packets.data()),
                                                static_cast<unsigned>(packets.size()), nullptr);
  // Pairs with the barrier in may_sleep().
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (is_asleep_.load(std::memory_order_relaxed) && is_asleep_.exchange(false, std::memory_order_relaxed)) {
    wake();
  }
  return taken;
}

void Inbox::wake() {
  const uint64_t one = 1;
  // It can only fail where the fd is readable already.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

uint32_t Inbox::take(std::span<rte_mbuf*> out) {
  return rte_ring_dequeue_burst(ring_, reinterpret_cast<void**>(out.data()),
                                static_cast<unsigned>(out.size()), nullptr);
}

bool Inbox::may_sleep() {
  is_asleep_.store(true, std::memory_order_relaxed);
  // Pairs with the barrier in put().
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (rte_ring_empty(ring_) != 0) {
    return true;
  }
  is_awake();
  return false;
}

}  // namespace maglb
