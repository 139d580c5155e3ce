#include "controlplane/api/http_server.h"

#include <sys/socket.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <list>
#include <tuple>

#include "lib/ipc/unix_socket.h"

namespace maglb {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

}  // namespace

class HttpServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  using Accept = std::function<UniqueFd()>;
  using Open = std::function<std::shared_ptr<Session>(Session::Socket, Session::OnClose)>;

  // `accept` owns the listener that `fd` is of; `open` makes a session of what it accepted.
  Impl(asio::io_context& io, int fd, Accept accept, Open open)
      : io_(io), watch_(io, dup(fd)), accept_(std::move(accept)), open_(std::move(open)) {}

  void accept();
  void stop();

 private:
  void admit(UniqueFd fd);
  void make_room();

  asio::io_context& io_;
  asio::posix::stream_descriptor watch_;
  Accept accept_;
  Open open_;
  std::list<std::shared_ptr<Session>> sessions_;
};

void HttpServer::Impl::accept() {
  watch_.async_wait(asio::posix::stream_descriptor::wait_read,
                    [self = shared_from_this()](const error_code& error) {
                      if (error) {
                        return;
                      }
                      for (UniqueFd fd = self->accept_(); fd; fd = self->accept_()) {
                        self->admit(std::move(fd));
                      }
                      self->accept();
                    });
}

void HttpServer::Impl::admit(UniqueFd fd) {
  if (sessions_.size() >= kMaxConnections) {
    make_room();
  }
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  error_code error;
  Session::Socket socket(io_);
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    socket.assign({address.ss_family, 0}, fd.get(), error);
  }
  if (!socket.is_open() || error) {
    return;
  }
  fd.release();  // the socket owns it now
  socket.non_blocking(true, error);
  if (error || sessions_.size() >= kMaxConnections) {
    return;
  }
  sessions_.push_back(open_(std::move(socket), [self = shared_from_this()](const auto& session) {
    self->sessions_.remove(session);
  }));
  sessions_.back()->start();
}

void HttpServer::Impl::make_room() {
  std::shared_ptr<Session> next;
  const auto rank = [](const Session& session) {
    return std::tuple(session.access() != Access::kNone, session.quiet_since());
  };
  for (const auto& session : sessions_) {
    if (!session->is_answering() && (!next || rank(*session) < rank(*next))) {
      next = session;
    }
  }
  if (next) {
    next->close();
  }
}

void HttpServer::Impl::stop() {
  error_code ignored;
  watch_.close(ignored);
  while (!sessions_.empty()) {
    sessions_.front()->close();
  }
}

Result<std::unique_ptr<HttpServer>> HttpServer::on_unix(asio::io_context& io, const std::string& path,
                                                        SocketAccess access, Handle handle) {
  auto listener = UnixListener::open(path, access.socket_mode());
  if (!listener) {
    return tl::unexpected(std::move(listener.error()));
  }
  const int fd = listener->fd();
  const auto shared = std::make_shared<UnixListener>(std::move(*listener));
  const auto open = [access, handle = std::move(handle)](Session::Socket socket, Session::OnClose on_close) {
    const Peer peer = access.peer_of(socket.native_handle());
    return Session::plain(std::move(socket), peer, handle, std::move(on_close));
  };
  auto impl = std::make_shared<Impl>(
      io, fd, [shared] { return shared->accept(); }, open);
  impl->accept();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

namespace {

// One waiting connection, or none.
std::function<UniqueFd()> accept_from(UniqueFd listener) {
  return [shared = std::make_shared<UniqueFd>(std::move(listener))] {
    return UniqueFd(accept4(shared->get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  };
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::on_tls(asio::io_context& io, const TcpAddress& at,
                                                       const TlsIdentity& identity, NameAccess access,
                                                       Handle handle) {
  auto listener = listen_tcp(at);
  if (!listener) {
    return tl::unexpected(std::move(listener.error()));
  }
  const auto judge = [access = std::move(access)](const std::string& name) { return access.peer_of(name); };
  const auto open = [&identity, judge, handle = std::move(handle)](Session::Socket socket,
                                                                   Session::OnClose on_close) {
    return Session::tls(std::move(socket), identity.context(), judge, handle, std::move(on_close));
  };
  const int fd = listener->get();
  auto impl = std::make_shared<Impl>(io, fd, accept_from(std::move(*listener)), open);
  impl->accept();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

Result<std::unique_ptr<HttpServer>> HttpServer::on_plain(asio::io_context& io, const TcpAddress& at,
                                                         Handle handle) {
  auto listener = listen_tcp(at);
  if (!listener) {
    return tl::unexpected(std::move(listener.error()));
  }
  const auto open = [handle = std::move(handle)](Session::Socket socket, Session::OnClose on_close) {
    return Session::plain(std::move(socket), {UINT32_MAX, UINT32_MAX, 0, {}, Access::kRead}, handle,
                          std::move(on_close));
  };
  const int fd = listener->get();
  auto impl = std::make_shared<Impl>(io, fd, accept_from(std::move(*listener)), open);
  impl->accept();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() {
  impl_->stop();
}

}  // namespace maglb
