#include "controlplane/probe/tcp_attempt.h"

namespace maglb {

using boost::asio::ip::tcp;

void StreamAttempt::run() {
  stage_ = "connecting";
  ErrorCode error = open_for(socket_, *target_);
  if (!error) {
    socket_.set_option(boost::asio::socket_base::linger(true, 0), error);
  }
  if (error) {
    return finish_later(Outcome::kSkipped, fmt::format("open: {}", describe(error)));
  }
  socket_.async_connect(endpoint_of<tcp>(*target_), then(&StreamAttempt::on_connect));
}

void StreamAttempt::on_connect(ErrorCode error) {
  if (error) {
    return failed("connect", error);
  }
  connected();
}

void StreamAttempt::close() {
  ErrorCode ignored;
  socket_.close(ignored);
}

void TcpAttempt::connected() {
  finish(Outcome::kSuccess, "connected");
}

}  // namespace maglb
