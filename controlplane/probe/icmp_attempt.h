// icmp: sends one echo request and is good with its reply.
//
// By a ping socket where net.ipv4.ping_group_range lets us (the kernel then chooses the id and gives us
// nobody else's replies), else by a raw socket, which needs CAP_NET_RAW. Both are connected, so that only
// the target is heard. A reply counts when its sequence number and 16 octets of random payload are those of
// the request and, on a raw socket, its id.
#pragma once

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <span>

#include "controlplane/probe/attempt_base.h"

namespace maglb {

class IcmpAttempt final : public AttemptBase<IcmpAttempt> {
 public:
  explicit IcmpAttempt(boost::asio::io_context& io) : AttemptBase(io), socket_(io) {}

 private:
  static constexpr size_t kHeaderBytes = 8;
  static constexpr size_t kPayloadBytes = 16;
  using Echo = std::array<uint8_t, kHeaderBytes + kPayloadBytes>;

  void run() override;
  void close() override;
  bool open(ErrorCode& error);
  bool send_request(ErrorCode& error);
  void await();
  void readable(ErrorCode error);
  bool is_reply(std::span<const uint8_t> packet) const;

  boost::asio::posix::stream_descriptor socket_;
  bool raw_ = false;
  Echo request_ = {};
};

}  // namespace maglb
