#include "controlplane/probe/udp_attempt.h"

#include <algorithm>
#include <string_view>

namespace maglb {

using boost::asio::ip::udp;

void UdpAttempt::run() {
  stage_ = "waiting for an answer";
  if (const ErrorCode error = open_for(socket_, *target_); error) {
    return finish_later(Outcome::kSkipped, fmt::format("open: {}", describe(error)));
  }
  ErrorCode error;
  socket_.connect(endpoint_of<udp>(*target_), error);
  if (!error) {
    socket_.send(boost::asio::buffer(target_->config.send), 0, error);
  }
  if (error) {
    return finish_later(is_our_fault(error) ? Outcome::kSkipped : Outcome::kFailure,
                        fmt::format("send: {}", describe(error)));
  }
  answer_.resize(target_->config.expect.size() + 1);
  socket_.async_receive(boost::asio::buffer(answer_), then(&UdpAttempt::received));
}

// What did not fit of a datagram is cut off; nobody looks at it.
void UdpAttempt::received(ErrorCode error, size_t size) {
  if (error && error != boost::asio::error::message_size) {
    return failed("receive", error);
  }
  const std::string_view answer(answer_.data(), size);
  if (!answer.starts_with(target_->config.expect)) {
    return finish(Outcome::kFailure, "the answer does not begin with what is expected");
  }
  finish(Outcome::kSuccess, "answered");
}

void UdpAttempt::close() {
  ErrorCode ignored;
  socket_.close(ignored);
}

}  // namespace maglb
