// http: one request of HTTP/1.1 in the clear, and the head of its response; where a text is looked for in
// the body, its first 64 KiB too.
//
// Good when the status is one of the configured ones and the text, if any, is there. The body is judged
// while it arrives: the first chunk that completes the text ends the attempt.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "controlplane/probe/tcp_attempt.h"

namespace maglb {

// The request's bytes.
std::string http_request(const ProbeTarget& target);

class HttpAttempt final : public StreamAttempt {
 public:
  // The largest head of a response that is read, and how much of its body.
  static constexpr size_t kMaxHeadBytes = 65536;
  static constexpr size_t kMaxBodyBytes = 65536;

  explicit HttpAttempt(boost::asio::io_context& io) : StreamAttempt(io), buffer_(kMaxHeadBytes) {}

 private:
  using Parser = boost::beast::http::response_parser<boost::beast::http::buffer_body>;

  void connected() override;
  void sent(ErrorCode error);
  void receive();
  void received(ErrorCode error);
  void judge(uint16_t status);
  void receive_body();
  void received_body(ErrorCode error);
  bool body_matches();
  void refuse(std::string_view doing, const ErrorCode& error);

  std::string request_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  uint32_t interim_ = 0;  // responses of status 1xx in this attempt
  std::string body_;      // received so far; only where a text is looked for
  size_t searched_ = 0;   // the text does not begin before it
};

}  // namespace maglb
