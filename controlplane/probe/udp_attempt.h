// udp: sends one datagram and is good with the first answer, which has to begin with what is expected.
//
// The socket is connected: an ICMP port unreachable is a failure at once, and nobody but the target can
// answer. An answer that begins otherwise is a failure at once too.
#pragma once

#include <boost/asio/ip/udp.hpp>
#include <vector>

#include "controlplane/probe/attempt_base.h"

namespace maglb {

class UdpAttempt final : public AttemptBase<UdpAttempt> {
 public:
  explicit UdpAttempt(boost::asio::io_context& io) : AttemptBase(io), socket_(io) {}

 private:
  void run() override;
  void close() override;
  void received(ErrorCode error, size_t size);

  boost::asio::ip::udp::socket socket_;
  std::vector<char> answer_;
};

}  // namespace maglb
