// The dataplane's end of the control socket: connections, the rules of Hello, version and lease
// (maglb.proto), and replies. What a request does is the handler's; which bytes are one is settled here.
//
// One thread. poll_once() never blocks longer than asked and never waits for a peer: reads and writes
// are bounded per call, a peer that does not read its replies is dropped when kMaxQueuedReplies is
// reached, at most kMaxConnections are served (more wait in the kernel's backlog).
//
// Invariants:
//   1. At most one connection holds the lease; the handler sees an Apply from no other.
//   2. A connection's requests are answered in order: while an Apply waits for answer(), its later
//      requests stay unread.
//   3. Until a peer has said a Hello of our major version, its frames have at most kMaxSmallFrame
//      bytes, and so they stay without the lease.
//   4. Whatever a peer sends, the handler sees validated values only.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/unique_fd.h"
#include "lib/ipc/convert.h"
#include "lib/ipc/messages.h"
#include "lib/ipc/unix_socket.h"

namespace maglb {

// What the server asks of the program. Called from poll_once() only, on its thread.
class IpcHandler {
 public:
  // An Apply to be answered later by IpcServer::answer().
  struct Ticket {
    uint64_t connection = 0;
    uint64_t request = 0;
  };

  virtual ~IpcHandler() = default;

  // Fills program, generation, boot_id, workers and the limits; the rest is the server's.
  virtual void fill_hello(ipc::HelloReply& reply) = 0;
  // The reply, or nothing: then IpcServer::answer(ticket, ...) gives it later.
  virtual std::optional<ipc::ApplyReply> apply(Change change, Ticket ticket) = 0;
  virtual void fill_stats(const ipc::StatsRequest& request, ipc::Stats& reply) = 0;
  virtual void look_up(const FlowQuery& query, ipc::FlowLookupReply& reply) = 0;
  virtual void explain(const ExplainQuery& query, ipc::ExplainReply& reply) = 0;
  virtual void summarize(ipc::FlowSummary& reply) = 0;
  // Worth a line in the log: a peer was refused, dropped, or took the lease.
  virtual void on_event(const std::string& message) { (void)message; }
};

class IpcServer {
 public:
  static constexpr int kMaxConnections = 16;
  static constexpr size_t kMaxSmallFrame = size_t{1} << 16;
  static constexpr size_t kMaxQueuedReplies = size_t{64} << 20;
  static constexpr Duration kLeaseTimeout = std::chrono::seconds(5);
  // A peer that has not said Hello by then is dropped, so that it keeps no place from others.
  static constexpr Duration kHelloTimeout = std::chrono::seconds(5);

  // Listens at `path` with mode 0600. `handler` outlives the server.
  static Result<IpcServer> listen(const std::string& path, IpcHandler& handler);

  IpcServer(IpcServer&&) noexcept;
  IpcServer& operator=(IpcServer&&) noexcept;
  ~IpcServer();

  // Becomes readable when poll_once() has something to do: for a loop that polls other things too.
  int fd() const;
  // Serves what is ready, waiting at most `timeout` for the first of it. `now` never goes back.
  void poll_once(Time now, std::chrono::milliseconds timeout);
  // REQUIRES: the ticket is of an apply() that gave no reply. A peer that is gone by now is no error.
  void answer(IpcHandler::Ticket ticket, const ipc::ApplyReply& reply);

  int connections() const;

 private:
  class Impl;
  explicit IpcServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace maglb
