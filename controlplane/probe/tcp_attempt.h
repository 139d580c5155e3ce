// tcp: good when the connection is there.
//
// It is always closed with a reset (SO_LINGER 0). A FIN would leave a TIME_WAIT of a minute on our side for
// every attempt, which at thousands of probes a second runs through the ephemeral ports; the reset also
// tells a server at once that nothing follows. What begins with a connection (http, dns over tcp) derives
// from it.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include "controlplane/probe/attempt_base.h"

namespace maglb {

class StreamAttempt : public AttemptBase<StreamAttempt> {
 public:
  explicit StreamAttempt(boost::asio::io_context& io) : AttemptBase(io), socket_(io) {}

 protected:
  // The connection is there.
  virtual void connected() = 0;
  void run() override;
  void close() override;

  boost::asio::ip::tcp::socket socket_;

 private:
  void on_connect(ErrorCode error);
};

class TcpAttempt final : public StreamAttempt {
 public:
  using StreamAttempt::StreamAttempt;

 private:
  void connected() override;
};

}  // namespace maglb
