#include "controlplane/probe/attempt.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <cctype>
#include <cerrno>
#include <utility>

#include "lib/base/check.h"

namespace maglb {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

// RFC 9110 15.2 lets a server send any number of them; more than this is no use to anyone.
constexpr uint32_t kMaxInterimResponses = 8;

tcp::endpoint endpoint_of(const ProbeTarget& target) {
  if (target.address.is_v4()) {
    return {asio::ip::address_v4(target.address.to_v4().host()), target.port};
  }
  return {asio::ip::address_v6(target.address.bytes), target.port};
}

// What this machine lacked, not what the target did: descriptors, memory, an ephemeral port.
bool is_our_fault(const error_code& error) {
  if (error.category() != boost::system::system_category()) {
    return false;
  }
  constexpr std::array<int, 5> kOurs = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL};
  return std::find(kOurs.begin(), kOurs.end(), error.value()) != kOurs.end();
}

std::string describe(const error_code& error) {
  if (error == http::error::end_of_stream || error == http::error::partial_message) {
    return "connection closed before the end of a response's head";
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return fmt::format("the response's head is longer than {} bytes", Attempt::kMaxHeadBytes);
  }
  std::string text = error.message();
  if (!text.empty()) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return error.category() == boost::system::system_category() ? text : "not HTTP: " + text;
}

std::string host_of(const ProbeTarget& target) {
  if (!target.config.host.empty()) {
    return target.config.host;
  }
  const std::string address = target.address.to_string();
  const std::string host = target.address.is_v4() ? address : "[" + address + "]";
  return target.port == 80 ? host : fmt::format("{}:{}", host, target.port);
}

}  // namespace

std::string http_request(const ProbeTarget& target) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: maglb-probe/" MAGLB_VERSION
                     "\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                     target.config.path, host_of(target));
}

void Attempt::start(const ProbeTarget& target, const std::string& request, Done done) {
  check(!done_, "one attempt at a time");
  target_ = &target;
  request_ = &request;
  done_ = std::move(done);
  stage_ = "connecting";
  interim_ = 0;
  buffer_.clear();
  const tcp::endpoint endpoint = endpoint_of(target);
  error_code error;
  socket_.open(endpoint.protocol(), error);
  if (!error) {
    socket_.set_option(asio::socket_base::linger(true, 0), error);
  }
  if (error) {
    asio::post(socket_.get_executor(), [handler = then(&Attempt::connected), error] { handler(error); });
    return;
  }
  socket_.async_connect(endpoint, then(&Attempt::connected));
}

void Attempt::cancel() {
  done_ = nullptr;
  close();
}

void Attempt::connected(error_code error) {
  if (error) {
    return failed("connect", error);
  }
  if (target_->config.type == ProbeType::kTcp) {
    return finish(Outcome::kSuccess, "connected");
  }
  stage_ = "sending the request";
  asio::async_write(socket_, asio::buffer(*request_), then(&Attempt::sent));
}

void Attempt::sent(error_code error) {
  if (error) {
    return failed("send", error);
  }
  stage_ = "waiting for the response";
  receive();
}

void Attempt::receive() {
  parser_.emplace();
  parser_->header_limit(kMaxHeadBytes);
  http::async_read_header(socket_, buffer_, *parser_, then(&Attempt::received));
}

void Attempt::received(error_code error) {
  if (error) {
    return failed("receive", error);
  }
  const unsigned status = parser_->get().result_int();
  const bool interim = status >= 100 && status < 200 && status != 101;
  if (interim && ++interim_ <= kMaxInterimResponses) {
    return receive();
  }
  judge(status);
}

void Attempt::judge(unsigned status) {
  const ProbeConfig& config = target_->config;
  if (!config.accepts(static_cast<uint16_t>(status))) {
    return finish(Outcome::kFailure, fmt::format("http status {}, expected {}..{}", status,
                                                 config.status[0].low, config.status[0].high));
  }
  finish(Outcome::kSuccess, fmt::format("http status {}", status));
}

void Attempt::failed(std::string_view doing, error_code error) {
  finish(is_our_fault(error) ? Outcome::kSkipped : Outcome::kFailure,
         fmt::format("{}: {}", doing, describe(error)));
}

void Attempt::finish(Outcome outcome, std::string reason) {
  close();
  // Empty before the call, which may start this object again.
  const Done done = std::exchange(done_, nullptr);
  done({outcome, std::move(reason)});
}

void Attempt::close() {
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace maglb
