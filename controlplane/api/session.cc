#include "controlplane/api/session.h"

#include <array>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <optional>

#include "controlplane/api/tls.h"

namespace maglb {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Socket = Session::Socket;
using TlsStream = asio::ssl::stream<Socket>;

constexpr std::chrono::seconds kGoodbyeTimeout{2};

Socket& lowest(Socket& socket) {
  return socket;
}
Socket& lowest(TlsStream& stream) {
  return stream.next_layer();
}

// `Stream` is the socket, or TLS over it: the rest is the same.
template <typename Stream>
class SessionOn : public Session, public BodyWriter, public std::enable_shared_from_this<SessionOn<Stream>> {
 public:
  template <typename... Args>
  SessionOn(Peer peer, Handle handle, OnClose on_close, Args&&... args)
      : stream_(std::forward<Args>(args)...),
        timer_(lowest(stream_).get_executor()),
        peer_(std::move(peer)),
        handle_(std::move(handle)),
        on_close_(std::move(on_close)) {}

  void start() override { read_head(); }
  void close() override;
  bool is_answering() const override { return answering_; }
  Clock::time_point quiet_since() const override { return quiet_since_; }
  Access access() const override { return peer_.access; }

  bool write(std::string piece) override;
  void end(std::string last) override;
  void on_closed(std::function<void()> then) override { stream_closed_ = std::move(then); }

 protected:
  void read_head();
  void read_body();
  void answer();
  void respond(ApiResponse response);
  void write_answer(bool is_head);
  void refuse(unsigned status, const char* message);
  void fail_read(const error_code& error);
  void expire_after(std::chrono::seconds timeout);
  void begin_stream(std::function<void(std::shared_ptr<BodyWriter>)> stream);
  void watch_reader();
  void write_next();
  // Closes when everything was said.
  virtual void finish() { close(); }

  Stream stream_;
  asio::steady_timer timer_;
  Peer peer_;
  Handle handle_;
  OnClose on_close_;
  beast::flat_buffer buffer_{kMaxHead + kMaxBody};
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  // A stream: what waits to be written; the first is under way.
  std::deque<std::string> queue_;
  size_t queued_bytes_ = 0;
  std::function<void()> stream_closed_;
  std::array<char, 1024> ignored_input_{};
  Clock::time_point quiet_since_ = Clock::now();
  bool answering_ = false;
  bool ending_ = false;
  bool closed_ = false;
};

template <typename Stream>
void SessionOn<Stream>::expire_after(std::chrono::seconds timeout) {
  timer_.expires_after(timeout);
  timer_.async_wait([self = this->shared_from_this()](const error_code& error) {
    if (!error) {
      self->close();
    }
  });
}

template <typename Stream>
void SessionOn<Stream>::close() {
  if (closed_) {
    return;
  }
  closed_ = true;
  const auto self = this->shared_from_this();
  error_code ignored;
  timer_.cancel();
  lowest(stream_).shutdown(Socket::shutdown_both, ignored);
  lowest(stream_).close(ignored);
  on_close_(self);
  if (const auto then = std::exchange(stream_closed_, nullptr)) {
    then();
  }
}

template <typename Stream>
void SessionOn<Stream>::read_head() {
  parser_.emplace();
  parser_->header_limit(kMaxHead);
  // Little is read of who may not ask: enough to answer, and nothing to fill the memory with.
  parser_->body_limit(peer_.access == Access::kNone ? kMaxHead : kMaxBody);
  quiet_since_ = Clock::now();
  expire_after(kHeadTimeout);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = this->shared_from_this()](error_code error, size_t) {
                            if (self->closed_) {
                              return;
                            }
                            if (error) {
                              return self->fail_read(error);
                            }
                            self->read_body();
                          });
}

template <typename Stream>
void SessionOn<Stream>::read_body() {
  expire_after(kBodyTimeout);
  const auto read = [self = this->shared_from_this()] {
    http::async_read(self->stream_, self->buffer_, *self->parser_, [self](error_code error, size_t) {
      if (self->closed_) {
        return;
      }
      if (error) {
        return self->fail_read(error);
      }
      self->answer();
    });
  };
  // Who asks first whether a body is welcome (curl does for big ones) is told to go on.
  if (parser_->get()[http::field::expect] != "100-continue") {
    return read();
  }
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()),
                    [self = this->shared_from_this(), read](error_code error, size_t) {
                      if (error) {
                        return self->close();
                      }
                      if (!self->closed_) {
                        read();
                      }
                    });
}

template <typename Stream>
void SessionOn<Stream>::fail_read(const error_code& error) {
  if (error == http::error::body_limit) {
    refuse(413, "the body is bigger than 16 MiB");
  } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    refuse(431, "the head of the request is too long");
  } else if (error.category() == http::make_error_code(http::error::bad_method).category() &&
             error != http::error::end_of_stream && error != http::error::partial_message) {
    refuse(400, "this is not HTTP");
  } else {
    close();
  }
}

template <typename Stream>
void SessionOn<Stream>::refuse(unsigned status, const char* message) {
  parser_.emplace();
  parser_->get().keep_alive(false);
  respond(error_response(status, "invalid", message));
}

template <typename Stream>
void SessionOn<Stream>::answer() {
  timer_.cancel();
  answering_ = true;
  auto& message = parser_->get();
  const auto field = [&message](http::field name) { return std::string(message[name]); };
  const ApiRequest request{std::string(message.method_string()),
                           std::string(message.target()),
                           std::move(message.body()),
                           peer_,
                           field(http::field::if_match),
                           field(http::field::if_none_match),
                           std::string(message["Last-Event-ID"])};
  // A probe's answer may come after the peer has gone: the session lives until then, its socket not.
  handle_(request, [self = this->shared_from_this()](ApiResponse response) {
    if (!self->closed_) {
      self->respond(std::move(response));
    }
  });
}

template <typename Stream>
void SessionOn<Stream>::respond(ApiResponse answer) {
  const auto& request = parser_->get();
  const bool is_head = request.method() == http::verb::head;
  const bool streams = answer.stream != nullptr;
  answering_ = false;  // who does not read may have to make room
  response_.emplace(static_cast<http::status>(answer.status), 11u);
  response_->set(http::field::server, "maglb/" MAGLB_VERSION);
  response_->set(http::field::cache_control, "no-store");
  const auto set = [this](http::field name, const std::string& value) {
    if (!value.empty()) {
      response_->set(name, value);
    }
  };
  set(http::field::content_type, answer.content_type);
  set(http::field::etag, answer.etag);
  set(http::field::allow, answer.allow);
  set(http::field::retry_after, answer.retry_after == 0 ? "" : std::to_string(answer.retry_after));
  response_->keep_alive(request.keep_alive() && !streams);
  response_->body() = std::move(answer.body);
  if (streams && !is_head) {
    return begin_stream(std::move(answer.stream));
  }
  if (!streams) {
    response_->prepare_payload();
  }
  if (is_head) {
    response_->body().clear();  // the length stays: what GET would have
  }
  write_answer(is_head);
}

template <typename Stream>
void SessionOn<Stream>::write_answer(bool is_head) {
  serializer_.emplace(*response_);
  serializer_->split(is_head);
  expire_after(kWriteTimeout);
  const auto written = [self = this->shared_from_this()](error_code error, size_t) {
    if (self->closed_) {
      return;
    }
    if (error) {
      return self->close();
    }
    if (self->response_->need_eof() || !self->response_->keep_alive()) {
      return self->finish();
    }
    self->read_head();
  };
  if (is_head) {
    http::async_write_header(stream_, *serializer_, written);
  } else {
    http::async_write(stream_, *serializer_, written);
  }
}

// The body ends with the connection, so that pieces need no frames.
template <typename Stream>
void SessionOn<Stream>::begin_stream(std::function<void(std::shared_ptr<BodyWriter>)> stream) {
  answering_ = true;
  serializer_.emplace(*response_);
  expire_after(kWriteTimeout);
  http::async_write_header(
      stream_, *serializer_,
      [self = this->shared_from_this(), stream = std::move(stream)](error_code error, size_t) {
        if (self->closed_) {
          return;
        }
        if (error) {
          return self->close();
        }
        self->timer_.cancel();
        self->watch_reader();
        stream(self);
      });
}

// Nothing is awaited of the reader but that it goes.
template <typename Stream>
void SessionOn<Stream>::watch_reader() {
  stream_.async_read_some(asio::buffer(ignored_input_),
                          [self = this->shared_from_this()](error_code error, size_t) {
                            if (self->closed_) {
                              return;
                            }
                            if (error) {
                              return self->close();
                            }
                            self->watch_reader();
                          });
}

template <typename Stream>
bool SessionOn<Stream>::write(std::string piece) {
  if (closed_ || ending_ || queued_bytes_ + piece.size() > kMaxQueued) {
    return false;
  }
  queued_bytes_ += piece.size();
  queue_.push_back(std::move(piece));
  if (queue_.size() == 1) {
    write_next();
  }
  return true;
}

template <typename Stream>
void SessionOn<Stream>::end(std::string last) {
  if (closed_ || ending_) {
    return;
  }
  ending_ = true;
  queued_bytes_ += last.size();
  queue_.push_back(std::move(last));
  if (queue_.size() == 1) {
    write_next();
  }
}

template <typename Stream>
void SessionOn<Stream>::write_next() {
  if (queue_.empty()) {
    timer_.cancel();
    return ending_ ? finish() : void();
  }
  expire_after(kWriteTimeout);
  asio::async_write(stream_, asio::buffer(queue_.front()),
                    [self = this->shared_from_this()](error_code error, size_t) {
                      if (self->closed_) {
                        return;
                      }
                      if (error) {
                        return self->close();
                      }
                      self->queued_bytes_ -= self->queue_.front().size();
                      self->queue_.pop_front();
                      self->write_next();
                    });
}

class TlsSession : public SessionOn<TlsStream> {
 public:
  TlsSession(Socket socket, std::shared_ptr<asio::ssl::context> context, PeerOf peer_of, Handle handle,
             OnClose on_close)
      : SessionOn(Peer{UINT32_MAX, UINT32_MAX, 0}, std::move(handle), std::move(on_close), std::move(socket),
                  *context),
        context_(std::move(context)),
        peer_of_(std::move(peer_of)) {}

  void start() override {
    expire_after(kHeadTimeout);
    stream_.async_handshake(asio::ssl::stream_base::server,
                            [this, self = shared_from_this()](const error_code& error) {
                              if (closed_) {
                                return;
                              }
                              if (error) {
                                return close();
                              }
                              peer_ = peer_of_(common_name_of(stream_.native_handle()));
                              read_head();
                            });
  }

 private:
  // Without it a client could not tell the end from a cut.
  void finish() override {
    expire_after(kGoodbyeTimeout);
    stream_.async_shutdown([self = shared_from_this()](const error_code&) { self->close(); });
  }

  std::shared_ptr<asio::ssl::context> context_;  // a reload makes another
  PeerOf peer_of_;
};

}  // namespace

std::shared_ptr<Session> Session::plain(Socket socket, Peer peer, Handle handle, OnClose on_close) {
  return std::make_shared<SessionOn<Socket>>(std::move(peer), std::move(handle), std::move(on_close),
                                             std::move(socket));
}

std::shared_ptr<Session> Session::tls(Socket socket, std::shared_ptr<asio::ssl::context> context,
                                      PeerOf peer_of, Handle handle, OnClose on_close) {
  return std::make_shared<TlsSession>(std::move(socket), std::move(context), std::move(peer_of),
                                      std::move(handle), std::move(on_close));
}

}  // namespace maglb
