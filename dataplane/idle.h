// What a worker does while nothing arrives.
//
// Adaptive, it sleeps and adds at most some 50 us to the first packet after silence:
//   - where every queue has a socket (AF_XDP) it sleeps on the sockets, and the kernel wakes it when a
//     packet arrives. It wakes by itself every kLongest, for the sweep and to see that it is to stop.
//   - where a queue has none (ring, pcap, tap, memif, PCI) it looks every kNap. In a virtual machine,
//     where setting a timer leaves the guest, a nap was measured to last 47 us and cost 25 us of the core.
//     PCI devices could wake it by an interrupt; that needs VFIO and a driver that can, and whoever has such
//     a card gives each worker a core of its own and polls.
//
// A sleeping worker's rings stay good: the driver refills the fill ring with every packet it takes, so that
// a worker that sleeps has left it full, and the first packet wakes it. Where the kernel wants to be told
// to go on (XDP_USE_NEED_WAKEUP), poll(2) on the socket tells it.
//
// Another worker that hands a packet over wakes it, too (inbox.h).
//
// Thread: one, the worker that has it.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/queue.h"
#include "lib/base/clock.h"

namespace maglb {

enum class IdlePolicy : uint8_t {
  kPoll,      // asks again at once: the core is its own
  kAdaptive,  // sleeps: the core is shared
};

constexpr std::string_view to_string(IdlePolicy policy) {
  return policy == IdlePolicy::kPoll ? "poll" : "adaptive";
}

class IdleWait {
 public:
  static constexpr Duration kLongest = std::chrono::milliseconds(2);
  static constexpr Duration kNap = std::chrono::microseconds(20);

  explicit IdleWait(std::pmr::memory_resource* memory) : sockets_(memory) {}

  // Before the first sleep. `wake_fd`: an eventfd that ends a sleep and is read then; -1: there is none.
  void watch(std::span<const RxQueue> queues, int wake_fd);

  // Until a packet waits, somebody wakes it, or the time above is over.
  void sleep();
  // For a time, whatever arrives: while there is nothing to be done with it.
  static void sleep_regardless();

 private:
  std::pmr::vector<pollfd> sockets_;  // the last is no socket, but what wakes it
  Duration longest_ = kNap;
};

}  // namespace maglb
