// The control plane's end of the dataplane's socket (lib/ipc/maglb.proto): keeps a connection up, says
// Hello, asks for the lease, and matches replies to requests. What is asked is others' business.
//
// A connection that cannot be made, ends, or answers with something else than the protocol is tried
// again after kRetryInterval; so is a refused lease, on the connection that reads meanwhile.
//
// Threads: the io_context's one. Callbacks come from the loop, never from within the call that took
// them. Destroying the client drops them.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "lib/base/error.h"
#include "lib/ipc/messages.h"

namespace maglb {

class DataplaneClient {
 public:
  static constexpr std::chrono::milliseconds kRetryInterval{70};
  static constexpr std::chrono::milliseconds kHelloTimeout{2000};

  using OnReply = std::function<void(Result<ipc::Envelope> reply)>;

  // `on_change` is called when the connection or the lease came or went.
  DataplaneClient(boost::asio::io_context& io, std::string socket_path, std::function<void()> on_change);
  ~DataplaneClient();
  DataplaneClient(const DataplaneClient&) = delete;
  DataplaneClient& operator=(const DataplaneClient&) = delete;

  void start();

  // Hello was answered and the connection stands.
  bool is_connected() const;
  bool has_lease() const;
  // The last Hello's reply. Meaningful while connected.
  const ipc::HelloReply& hello() const;
  // Why there is no connection or no lease; empty when there are both.
  const std::string& error() const;

  // Sends a request; its id is set here. kUnavailable when there is no connection, it ends, or no reply
  // came in time (a reply that comes later is dropped); kConflict when the dataplane answered with an
  // Error.
  void request(ipc::Envelope envelope, std::chrono::milliseconds timeout, OnReply on_reply);
  // Asks for the lease again, after an Apply was refused for the want of it.
  void renew_lease();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace maglb
