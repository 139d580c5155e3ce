#include "controlplane/api/http_server.h"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <optional>

#include "lib/ipc/unix_socket.h"

namespace maglb {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Local = asio::local::stream_protocol;
using Clock = std::chrono::steady_clock;

Peer peer_of(int fd) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return {UINT32_MAX, UINT32_MAX, 0};  // nobody
  }
  return {credentials.uid, credentials.gid, credentials.pid};
}

}  // namespace

class HttpServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, UnixListener listener, Handle handle)
      : io_(io), listener_(std::move(listener)), descriptor_(io), handle_(std::move(handle)) {
    // The listener owns the descriptor; this one only watches it.
    descriptor_.assign(Local(), dup(listener_.fd()));
  }

  void accept();
  void stop();

 private:
  class Session;
  void admit(UniqueFd fd);
  void make_room();

  asio::io_context& io_;
  UnixListener listener_;
  Local::acceptor descriptor_;
  Handle handle_;
  std::list<std::shared_ptr<Session>> sessions_;
};

// One connection. It is in its server's list until it ends; handlers under way keep it alive.
class HttpServer::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Impl> server, Local::socket socket)
      : server_(std::move(server)),
        socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        peer_(peer_of(socket_.native_handle())) {}

  void read_head();
  void close();
  bool is_answering() const { return answering_; }
  Clock::time_point quiet_since() const { return quiet_since_; }

 private:
  void read_body();
  void answer();
  void write(ApiResponse response);
  void refuse(unsigned status, const char* message);
  void fail_read(const error_code& error);
  void expire_after(std::chrono::seconds timeout);

  std::shared_ptr<Impl> server_;
  Local::socket socket_;
  asio::steady_timer timer_;
  Peer peer_;
  beast::flat_buffer buffer_{kMaxHead + kMaxBody};
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  Clock::time_point quiet_since_ = Clock::now();
  bool answering_ = false;
  bool closed_ = false;
};

void HttpServer::Impl::Session::expire_after(std::chrono::seconds timeout) {
  timer_.expires_after(timeout);
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (!error) {
      self->close();
    }
  });
}

void HttpServer::Impl::Session::close() {
  if (closed_) {
    return;
  }
  closed_ = true;
  error_code ignored;
  timer_.cancel();
  socket_.shutdown(Local::socket::shutdown_both, ignored);
  socket_.close(ignored);
  server_->sessions_.remove(shared_from_this());
}

void HttpServer::Impl::Session::read_head() {
  parser_.emplace();
  parser_->header_limit(kMaxHead);
  parser_->body_limit(kMaxBody);
  quiet_since_ = Clock::now();
  expire_after(kHeadTimeout);
  http::async_read_header(socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, size_t) {
    if (self->closed_) {
      return;
    }
    if (error) {
      return self->fail_read(error);
    }
    self->read_body();
  });
}

void HttpServer::Impl::Session::read_body() {
  expire_after(kBodyTimeout);
  // Who asks first whether a body is welcome (curl does for big ones) is told to go on.
  if (parser_->get()[http::field::expect] == "100-continue") {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    error_code ignored;
    socket_.write_some(asio::buffer(kContinue.data(), kContinue.size()), ignored);
  }
  http::async_read(socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, size_t) {
    if (self->closed_) {
      return;
    }
    if (error) {
      return self->fail_read(error);
    }
    self->answer();
  });
}

void HttpServer::Impl::Session::fail_read(const error_code& error) {
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

void HttpServer::Impl::Session::refuse(unsigned status, const char* message) {
  parser_.emplace();
  parser_->get().keep_alive(false);
  write(error_response(status, "invalid", message));
}

void HttpServer::Impl::Session::answer() {
  timer_.cancel();
  answering_ = true;
  auto& message = parser_->get();
  const ApiRequest request{std::string(message.method_string()), std::string(message.target()),
                           std::move(message.body()), peer_};
  // A probe's answer may come after the peer has gone: the session lives until then, its socket not.
  server_->handle_(request, [self = shared_from_this()](ApiResponse response) {
    if (!self->closed_) {
      self->write(std::move(response));
    }
  });
}

void HttpServer::Impl::Session::write(ApiResponse answer) {
  answering_ = false;  // who does not read may have to make room
  const auto& request = parser_->get();
  const bool is_head = request.method() == http::verb::head;
  response_.emplace(static_cast<http::status>(answer.status), 11u);
  response_->set(http::field::server, "maglb/" MAGLB_VERSION);
  response_->set(http::field::content_type, answer.content_type);
  response_->set(http::field::cache_control, "no-store");
  response_->keep_alive(request.keep_alive());
  response_->body() = std::move(answer.body);
  response_->prepare_payload();
  if (is_head) {
    response_->body().clear();  // the length stays: what GET would have
  }
  serializer_.emplace(*response_);
  serializer_->split(is_head);
  expire_after(kWriteTimeout);
  const auto written = [self = shared_from_this()](error_code error, size_t) {
    if (self->closed_) {
      return;
    }
    if (error || self->response_->need_eof() || !self->response_->keep_alive()) {
      return self->close();
    }
    self->read_head();
  };
  if (is_head) {
    http::async_write_header(socket_, *serializer_, written);
  } else {
    http::async_write(socket_, *serializer_, written);
  }
}

void HttpServer::Impl::accept() {
  descriptor_.async_wait(Local::acceptor::wait_read, [self = shared_from_this()](const error_code& error) {
    if (error) {
      return;
    }
    for (UniqueFd fd = self->listener_.accept(); fd; fd = self->listener_.accept()) {
      self->admit(std::move(fd));
    }
    self->accept();
  });
}

void HttpServer::Impl::admit(UniqueFd fd) {
  if (sessions_.size() >= kMaxConnections) {
    make_room();
  }
  Local::socket socket(io_);
  error_code error;
  socket.assign(Local(), fd.get(), error);
  if (error) {
    return;
  }
  fd.release();  // the socket owns it now
  // No write waits for a peer, not even that of "100 Continue".
  socket.non_blocking(true, error);
  if (error || sessions_.size() >= kMaxConnections) {
    return;
  }
  sessions_.push_back(std::make_shared<Session>(shared_from_this(), std::move(socket)));
  sessions_.back()->read_head();
}

void HttpServer::Impl::make_room() {
  std::shared_ptr<Session> quietest;
  for (const auto& session : sessions_) {
    if (!session->is_answering() && (!quietest || session->quiet_since() < quietest->quiet_since())) {
      quietest = session;
    }
  }
  if (quietest) {
    quietest->close();
  }
}

void HttpServer::Impl::stop() {
  error_code ignored;
  descriptor_.close(ignored);
  while (!sessions_.empty()) {
    sessions_.front()->close();
  }
}

Result<std::unique_ptr<HttpServer>> HttpServer::listen(asio::io_context& io, const std::string& path,
                                                       Handle handle) {
  auto listener = UnixListener::open(path, 0660);
  if (!listener) {
    return tl::unexpected(std::move(listener.error()));
  }
  auto impl = std::make_shared<Impl>(io, std::move(*listener), std::move(handle));
  impl->accept();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() {
  impl_->stop();
}

}  // namespace maglb
