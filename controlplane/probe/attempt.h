// One attempt of a probe at a time: connect, and for HTTP one request and the head of its response.
//
// The connection is always closed with a reset (SO_LINGER 0). A FIN would leave a TIME_WAIT of a minute
// on our side for every attempt, which at thousands of probes a second runs through the ephemeral
// ports; the reset also tells a server at once that nothing follows.
//
// An object that has finished can be started again; one that was cancelled cannot, because the answers
// to its operations are still to come. That is also why it is held by shared_ptr. It has no timer: its
// owner calls cancel().
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "controlplane/probe/target.h"

namespace maglb {

enum class Outcome : uint8_t {
  kSuccess,
  kFailure,
  kSkipped,  // refused on our side: says nothing about the target
};

struct AttemptResult {
  Outcome outcome = Outcome::kFailure;
  std::string reason;  // "connected", "http status 200", "connect: connection refused"
};

// The request's bytes; made once for a target and used by all its attempts.
std::string http_request(const ProbeTarget& target);

class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  using Done = std::function<void(AttemptResult)>;

  // The largest head of a response that is read.
  static constexpr size_t kMaxHeadBytes = 65536;

  explicit Attempt(boost::asio::io_context& io) : socket_(io), buffer_(kMaxHeadBytes) {}

  // `done` is called once from the io_context, never from inside start(), unless cancel() comes first.
  // `target` and `request` must live until then. REQUIRES: not under way, never cancelled.
  void start(const ProbeTarget& target, const std::string& request, Done done);

  // Closes the connection; `done` will not be called. Does nothing when no attempt is under way.
  void cancel();

  // What it waits for, for the text of a timeout: "connecting", "sending the request", ...
  std::string_view stage() const { return stage_; }

 private:
  using Parser = boost::beast::http::response_parser<boost::beast::http::empty_body>;

  void connected(boost::system::error_code error);
  void sent(boost::system::error_code error);
  void receive();
  void received(boost::system::error_code error);
  void judge(unsigned status);
  void failed(std::string_view doing, boost::system::error_code error);
  void finish(Outcome outcome, std::string reason);
  void close();

  // A completion handler that does nothing once cancel() was called.
  auto then(void (Attempt::*next)(boost::system::error_code)) {
    return [self = shared_from_this(), next](boost::system::error_code error, auto&&...) {
      if (self->done_) {
        (self.get()->*next)(error);
      }
    };
  }

  boost::asio::ip::tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  const ProbeTarget* target_ = nullptr;
  const std::string* request_ = nullptr;
  Done done_;
  std::string_view stage_;
  uint32_t interim_ = 0;  // responses of status 1xx in this attempt
};

}  // namespace maglb
