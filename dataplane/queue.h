// Names of a driver's queues.
#pragma once

#include <cstdint>

namespace maglb {

struct QueueId {
  uint16_t device = 0;  // DPDK's port number
  uint16_t queue = 0;
  bool takes_segments = false;  // to send: packets in several mbufs, too
};

struct RxQueue {
  QueueId id;
  uint8_t port = 0;  // index of our port
  int socket = -1;   // readable when a packet waits; -1: the queue has none
};

}  // namespace maglb
