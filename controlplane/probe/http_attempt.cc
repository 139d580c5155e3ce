#include "controlplane/probe/http_attempt.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <limits>

namespace maglb {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

// RFC 9110 15.2 lets a server send any number of them; more than this is no use to anyone.
constexpr uint32_t kMaxInterimResponses = 8;

std::string describe_http(const boost::system::error_code& error) {
  if (error == http::error::end_of_stream || error == http::error::partial_message) {
    return "connection closed before the end of a response's head";
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return fmt::format("the response's head is longer than {} bytes", HttpAttempt::kMaxHeadBytes);
  }
  return error.category() == boost::system::system_category() ? describe(error)
                                                              : "not HTTP: " + describe(error);
}

std::string host_of(const ProbeTarget& target) {
  if (!target.config.host.empty()) {
    return target.config.host;
  }
  const std::string address = target.address.to_string();
  const std::string host = target.address.is_v4() ? address : "[" + address + "]";
  return target.port == 80 ? host : fmt::format("{}:{}", host, target.port);
}

// "200..399, 404"
std::string ranges_text(const std::vector<StatusRange>& ranges) {
  std::string text;
  for (const StatusRange& range : ranges) {
    text += text.empty() ? "" : ", ";
    text +=
        range.low == range.high ? fmt::format("{}", range.low) : fmt::format("{}..{}", range.low, range.high);
  }
  return text;
}

}  // namespace

std::string http_request(const ProbeTarget& target) {
  return fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: maglb-probe/" MAGLB_VERSION
                     "\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                     target.config.method, target.config.path, host_of(target));
}

void HttpAttempt::connected() {
  stage_ = "sending the request";
  interim_ = 0;
  buffer_.clear();
  body_.clear();
  searched_ = 0;
  request_ = http_request(*target_);
  asio::async_write(socket_, asio::buffer(request_), then(&HttpAttempt::sent));
}

void HttpAttempt::sent(ErrorCode error) {
  if (error) {
    return failed("send", error);
  }
  stage_ = "waiting for the response";
  receive();
}

void HttpAttempt::receive() {
  parser_.emplace();
  parser_->header_limit(kMaxHeadBytes);
  parser_->body_limit(std::numeric_limits<uint64_t>::max());
  parser_->skip(target_->config.method == "HEAD");
  http::async_read_header(socket_, buffer_, *parser_, then(&HttpAttempt::received));
}

void HttpAttempt::received(ErrorCode error) {
  if (error) {
    return refuse("receive", error);
  }
  const unsigned status = parser_->get().result_int();
  const bool interim = status >= 100 && status < 200 && status != 101;
  if (interim && ++interim_ <= kMaxInterimResponses) {
    return receive();
  }
  judge(static_cast<uint16_t>(status));
}

void HttpAttempt::judge(uint16_t status) {
  const ProbeConfig& config = target_->config;
  if (!config.accepts(status)) {
    return finish(Outcome::kFailure,
                  fmt::format("http status {}, expected {}", status, ranges_text(config.status)));
  }
  if (config.body.empty()) {
    return finish(Outcome::kSuccess, fmt::format("http status {}", status));
  }
  stage_ = "waiting for the body";
  receive_body();
}

void HttpAttempt::receive_body() {
  if (parser_->is_done() || body_.size() >= kMaxBodyBytes) {
    return finish(Outcome::kFailure,
                  fmt::format("the expected text is not in the first {} bytes of the body", body_.size()));
  }
  constexpr size_t kChunk = 4096;
  const size_t had = body_.size();
  const size_t room = std::min(kChunk, kMaxBodyBytes - had);
  body_.resize(had + room);
  auto& into = parser_->get().body();
  into.data = body_.data() + had;
  into.size = room;
  into.more = true;
  http::async_read_some(socket_, buffer_, *parser_, then(&HttpAttempt::received_body));
}

void HttpAttempt::received_body(ErrorCode error) {
  // The room for the body is full: what is read next needs a new one.
  if (error && error != http::error::need_buffer) {
    return refuse("receive the body", error);
  }
  body_.resize(body_.size() - parser_->get().body().size);
  if (body_matches()) {
    return finish(Outcome::kSuccess, fmt::format("http status {}", parser_->get().result_int()));
  }
  receive_body();
}

bool HttpAttempt::body_matches() {
  const std::string& text = target_->config.body;
  if (body_.find(text, searched_) != std::string::npos) {
    return true;
  }
  searched_ = body_.size() < text.size() ? 0 : body_.size() - text.size() + 1;
  return false;
}

void HttpAttempt::refuse(std::string_view doing, const ErrorCode& error) {
  if (is_our_fault(error)) {
    return failed(doing, error);
  }
  const bool in_body = parser_->is_header_done();
  finish(Outcome::kFailure, fmt::format("{}: {}", doing,
                                        in_body && error == http::error::partial_message
                                            ? "connection closed before the expected text"
                                            : describe_http(error)));
}

}  // namespace maglb
