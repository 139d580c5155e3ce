#include "controlplane/probe/icmp_attempt.h"

#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/icmp.hpp>
#include <cerrno>
#include <cstring>

#include "lib/base/unique_fd.h"
#include "lib/net/checksum.h"

namespace maglb {
namespace {

constexpr int kMaxPacketsPerWake = 64;

// A raw socket hears every ICMP message of its peer; only replies are wanted.
bool filter_replies(int fd, bool v4) {
  if (v4) {
    const icmp_filter filter{~(1u << ICMP_ECHOREPLY)};
    return setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)) == 0;
  }
  icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
  return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)) == 0;
}

boost::system::error_code last_error() {
  return {errno, boost::system::system_category()};
}

}  // namespace

void IcmpAttempt::run() {
  stage_ = "waiting for the reply";
  ErrorCode error;
  if (!open(error)) {
    return finish_later(Outcome::kSkipped, fmt::format("open: {}", describe(error)));
  }
  if (!send_request(error)) {
    return finish_later(is_our_fault(error) ? Outcome::kSkipped : Outcome::kFailure,
                        fmt::format("send: {}", describe(error)));
  }
  await();
}

bool IcmpAttempt::open(ErrorCode& error) {
  const bool v4 = target_->connect_to.is_v4();
  const int protocol = v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
  UniqueFd fd(open_probe_socket(*target_, SOCK_DGRAM, protocol, error));
  raw_ = !fd && error != boost::system::errc::too_many_files_open;
  if (raw_) {
    error.clear();
    fd = UniqueFd(open_probe_socket(*target_, SOCK_RAW, protocol, error));
  }
  if (!fd) {
    return false;
  }
  const auto endpoint = endpoint_of<boost::asio::ip::icmp>(*target_);
  if ((raw_ && !filter_replies(fd.get(), v4)) ||
      ::connect(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0) {
    error = last_error();
    return false;
  }
  socket_.assign(fd.get(), error);
  if (error) {
    return false;
  }
  fd.release();
  return true;
}

bool IcmpAttempt::send_request(ErrorCode& error) {
  const bool v4 = target_->connect_to.is_v4();
  check(getrandom(request_.data(), request_.size(), 0) == static_cast<ssize_t>(request_.size()),
        "the kernel has random numbers");
  // Type, code and checksum; id and sequence number stay random. The kernel makes the checksum of all but
  // raw IPv4.
  request_[0] = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
  request_[1] = request_[2] = request_[3] = 0;
  if (v4 && raw_) {
    const Be16 sum = internet_checksum(request_);
    std::memcpy(&request_[2], sum.bytes, sizeof(sum.bytes));
  }
  if (::send(socket_.native_handle(), request_.data(), request_.size(), 0) < 0) {
    error = last_error();
    return false;
  }
  return true;
}

void IcmpAttempt::await() {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read, then(&IcmpAttempt::readable));
}

void IcmpAttempt::readable(ErrorCode error) {
  if (error) {
    return failed("receive", error);
  }
  std::array<uint8_t, 256> packet;  // the rest is cut off
  for (int i = 0; i < kMaxPacketsPerWake; ++i) {
    const ssize_t size = ::recv(socket_.native_handle(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
      break;
    }
    if (size < 0) {
      return failed("receive", last_error());
    }
    if (is_reply({packet.data(), static_cast<size_t>(size)})) {
      return finish(Outcome::kSuccess, "replied");
    }
  }
  await();
}

bool IcmpAttempt::is_reply(std::span<const uint8_t> packet) const {
  const bool v4 = target_->connect_to.is_v4();
  // A raw IPv4 socket gives the IP header too.
  if (v4 && raw_) {
    if (packet.empty() || packet.size() < (packet[0] & 0xfu) * 4) {
      return false;
    }
    packet = packet.subspan((packet[0] & 0xfu) * 4);
  }
  if (packet.size() != request_.size() || packet[0] != (v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) ||
      packet[1] != 0) {
    return false;
  }
  const size_t from = raw_ ? 4 : 6;  // a ping socket's id is the kernel's
  return std::equal(packet.begin() + from, packet.end(), request_.begin() + from);
}

void IcmpAttempt::close() {
  ErrorCode ignored;
  socket_.close(ignored);
}

}  // namespace maglb
