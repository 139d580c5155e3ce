// What other workers hand over to a worker: a bounded ring of packets, and what wakes the worker when it
// sleeps. Who hands over never waits: what the ring has no room for stays with him.
//
// A packet on its way carries the index of our port that it came by in mbuf::port, where the driver's number
// was; on_its_way() writes it and load_taken() (mbuf_batch.h) reads it.
//
// Memory: the ring lies in the memory given, the taker's. Others write its head and slots, on cache lines of
// their own.
//
// Invariants:
//   1. A packet that was put is taken once, or freed with the inbox.
//   2. The worker does not sleep over a packet: it says that it is about to, then looks once more; who puts
//      looks afterwards whether it sleeps. One of both sees the other (each has a full barrier in between).
//
// Threads: put() any worker but the own one; the others the own one; making and freeing the main core, while
// nobody runs. A worker that is stopped within put() hides what was put behind it until it goes on, and makes
// nobody wait (the ring's relaxed tail).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>

struct rte_mbuf;
struct rte_ring;

namespace maglb {

class alignas(64) Inbox {
 public:
  // One less is its room. Several bursts from each of many workers; at 10 Mpps, 100 us.
  static constexpr uint32_t kSlots = 1024;

  explicit Inbox(std::pmr::memory_resource* memory);
  ~Inbox();
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  static size_t memory_bytes();

  // Returns how many of the first it took; wakes the worker.
  uint32_t put(std::span<rte_mbuf* const> packets);

  // Ends the worker's sleep, or its next one.
  void wake();

  // At most as many as there is room for; returns how many.
  uint32_t take(std::span<rte_mbuf*> out);
  // Before sleep: false if there is something to take.
  bool may_sleep();
  void is_awake() { is_asleep_.store(false, std::memory_order_relaxed); }
  // Readable when something was put while the worker slept; who reads it resets it. -1: the system gave none,
  // and the worker finds what was put when it wakes by itself.
  int wake_fd() const { return wake_fd_; }

 private:
  std::pmr::memory_resource* memory_;
  rte_ring* ring_;
  int wake_fd_;
  alignas(64) std::atomic<bool> is_asleep_{false};
};

}  // namespace maglb
