// dns: asks one question, over UDP or TCP, and is good with an answer of no error that has what is expected.
//
// Each attempt has an id of its own from the kernel's random numbers and, over UDP, a port of its own and a
// connected socket. A datagram that answers something else is ignored, kMaxStrays times; over TCP, where no
// one else can send, it is a failure.
#pragma once

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <cstdint>
#include <vector>

#include "controlplane/probe/tcp_attempt.h"

namespace maglb {

class DnsAttempt final : public StreamAttempt {
 public:
  static constexpr uint32_t kMaxStrays = 16;

  explicit DnsAttempt(boost::asio::io_context& io) : StreamAttempt(io), datagrams_(io) {}

 private:
  void run() override;
  void close() override;

  void ask_by_datagram();
  void await_datagram();
  void received_datagram(ErrorCode error, size_t size);

  void connected() override;
  void sent(ErrorCode error);
  void received_length(ErrorCode error);
  void received_message(ErrorCode error);

  boost::asio::ip::udp::socket datagrams_;
  uint16_t id_ = 0;
  uint32_t strays_ = 0;
  std::vector<uint8_t> message_;  // the question, then the answer
  std::array<uint8_t, 2> length_ = {};
};

}  // namespace maglb
