// The kernel's routing over rtnetlink, as plain data: one question at a time, and a stream of changes.
//
// What arrives is checked before it is used: sender, lengths, attribute sizes. A message that makes no
// sense is dropped and counted, never trusted. One thread; the network namespace is the one of the
// thread that opened the socket.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "lib/base/error.h"
#include "lib/base/unique_fd.h"
#include "lib/net/address.h"

struct nl_msg;
struct nlmsghdr;

namespace maglb {

// Where the kernel would send a packet for a destination, or why nowhere.
struct RouteAnswer {
  int ifindex = 0;                   // 0: nowhere, `problem` says why
  std::optional<IpAddress> gateway;  // none: the destination is on-link
  std::string problem;
};

// An entry of the neighbour table. `state` is the kernel's NUD_* bits.
struct NeighbourEntry {
  int ifindex = 0;
  IpAddress address;
  uint16_t state = 0;
  std::optional<MacAddress> mac;  // an Ethernet address that is not zero
};

struct NeighbourChanged {
  NeighbourEntry entry;
  bool deleted = false;
};
// A route, rule, link, address or next-hop object changed: routes have to be asked for again.
struct RoutingChanged {};
// Changes were lost (the socket's buffer overflowed): everything has to be asked for again.
struct ChangesLost {};
// A message that can't be understood.
struct Malformed {};

using NetlinkEvent = std::variant<NeighbourChanged, RoutingChanged, ChangesLost, Malformed>;

// Splits what one read of the event socket returned. Any bytes are fine.
void decode_events(std::span<uint8_t> bytes, const std::function<void(const NetlinkEvent&)>& on_event);

// Decodes the answer to a route question. Any bytes are fine.
Result<RouteAnswer> decode_route(std::span<uint8_t> message);

// "#7" when there is no such interface in this thread's network namespace.
std::string interface_name(int ifindex);

class NetlinkSocket {
 public:
  // For ask_route(), ask_neighbour() and request_neighbour().
  static Result<NetlinkSocket> for_questions();
  // For read_events(): never blocks. `receive_buffer_bytes` 0: the system's default.
  static Result<NetlinkSocket> for_events(int receive_buffer_bytes);

  int fd() const { return fd_.get(); }

  // The kernel answers at once (it may wait for its own routing lock). An Error means that it could not
  // be asked; "no route" is an answer.
  Result<RouteAnswer> ask_route(const IpAddress& destination);
  // Empty when the kernel has no such entry.
  Result<std::optional<NeighbourEntry>> ask_neighbour(int ifindex, const IpAddress& address);
  // Makes the kernel resolve the neighbour as if a packet of its own had to go there (NTF_USE): a new
  // entry is looked for, a stale one is verified. REQUIRES: the entry is not permanent.
  Result<void> request_neighbour(int ifindex, const IpAddress& address);

  // Reads at most `reads` times. Returns when nothing more is there.
  void read_events(int reads, const std::function<void(const NetlinkEvent&)>& on_event);

 private:
  explicit NetlinkSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  // Sends the question and calls back with the answer, whose length is checked. 0, or a positive errno.
  int ask(nl_msg* question, const std::function<void(nlmsghdr*)>& on_answer);

  UniqueFd fd_;
  uint32_t sequence_ = 0;
};

}  // namespace maglb
