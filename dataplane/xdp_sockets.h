// Brings the AF_XDP sockets of several devices of one interface under one steering program.
//
// DPDK's driver attaches the program for each device anew, and refuses where one is attached. So, queue
// after queue: the program is taken off, the driver attaches its own copy and makes its socket, the
// first copy is put back in place of it, and the socket goes into the first copy's map. The driver
// does not tell its socket; it is the one AF_XDP socket of this process that was not there before.
//
// One thread, and no other makes AF_XDP sockets meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "lib/base/error.h"
#include "lib/bpf/attachment.h"

namespace maglb {

// The AF_XDP sockets of this process.
std::set<int> xdp_sockets_of_this_process();
// The one that is there now and was not before; -1: there is none.
int xdp_socket_since(const std::set<int>& before);

class XdpSockets {
 public:
  explicit XdpSockets(int ifindex) : ifindex_(ifindex) {}

  // Before and after the driver sets up a device that begins with `queue`; `socket` is that queue's.
  Result<void> before_setup();
  Result<void> after_setup(uint32_t queue, int socket);

 private:
  int ifindex_;
  std::optional<XdpAttachment> program_;  // the first copy
};

}  // namespace maglb
