#include "lib/ipc/server.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <vector>

#include "lib/ipc/frame.h"

namespace maglb {
namespace {

constexpr uint64_t kListenerId = 0;
constexpr size_t kReadChunk = size_t{256} << 10;
// Read per connection and call: a big state does not keep the others waiting.
constexpr int kChunksPerCall = 16;

struct Connection {
  uint64_t id = 0;
  UniqueFd fd;
  FrameReader reader{IpcServer::kMaxSmallFrame};
  FrameWriter writer{IpcServer::kMaxQueuedReplies};
  std::string program = "a peer";
  Time opened{};
  Time last_heard{};
  uint32_t watched = 0;  // epoll events asked for
  bool greeted = false;
  bool waits_for_apply = false;
  bool closing = false;  // once what is queued is written
  bool dead = false;
};

}  // namespace

class IpcServer::Impl {
 public:
  Impl(UnixListener listener, UniqueFd epoll, IpcHandler& handler)
      : handler_(handler), listener_(std::move(listener)), epoll_(std::move(epoll)), chunk_(kReadChunk) {
    watch_listener();
  }

  void poll_once(Time now, std::chrono::milliseconds timeout);
  void answer(IpcHandler::Ticket ticket, const ipc::ApplyReply& reply);
  int fd() const { return epoll_.get(); }
  int connections() const { return static_cast<int>(connections_.size()); }

 private:
  void watch_listener();
  void watch(Connection& connection);
  void accept_waiting();
  void admit(UniqueFd fd);
  void read_from(Connection& connection);
  void write_to(Connection& connection);
  void take_frames(Connection& connection);
  void take(Connection& connection, ipc::Envelope& request);
  void take_hello(Connection& connection, const ipc::Envelope& request);
  void take_apply(Connection& connection, ipc::Envelope& request);
  void take_flow_lookup(Connection& connection, const ipc::Envelope& request);
  void take_explain(Connection& connection, const ipc::Envelope& request);
  std::string give_lease(Connection& connection);
  void send(Connection& connection, const ipc::Envelope& reply);
  void refuse(Connection& connection, uint64_t request, const std::string& why, bool close);
  void sweep();

  IpcHandler& handler_;
  UnixListener listener_;
  UniqueFd epoll_;
  std::map<uint64_t, Connection> connections_;
  uint64_t next_id_ = kListenerId + 1;
  uint64_t lease_holder_ = 0;  // a connection's id; 0: nobody
  bool listening_ = false;
  Time now_{};
  std::vector<uint8_t> chunk_;
};

// A full house stops asking for connections instead of accepting and refusing in a circle.
void IpcServer::Impl::watch_listener() {
  const bool room = connections() < kMaxConnections;
  if (room == listening_) {
    return;
  }
  epoll_event event{EPOLLIN, {.u64 = kListenerId}};
  epoll_ctl(epoll_.get(), room ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener_.fd(), &event);
  listening_ = room;
}

void IpcServer::Impl::watch(Connection& connection) {
  const bool reads = !connection.closing && !connection.waits_for_apply;
  const bool writes = !connection.writer.pending().empty();
  const uint32_t wanted = (reads ? uint32_t{EPOLLIN} : 0) | (writes ? uint32_t{EPOLLOUT} : 0);
  if (wanted != connection.watched) {
    epoll_event event{wanted, {.u64 = connection.id}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.fd.get(), &event);
    connection.watched = wanted;
  }
}

void IpcServer::Impl::poll_once(Time now, std::chrono::milliseconds timeout) {
  now_ = now;
  std::array<epoll_event, kMaxConnections + 1> events;
  const int ready = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                               static_cast<int>(timeout.count()));
  for (int i = 0; i < ready; ++i) {
    // epoll_event is packed: its members bind to no reference.
    const uint64_t id = events[i].data.u64;
    if (id == kListenerId) {
      accept_waiting();
      continue;
    }
    const auto found = connections_.find(id);
    if (found == connections_.end()) {
      continue;
    }
    if ((events[i].events & EPOLLIN) != 0) {
      read_from(found->second);
    } else if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0) {
      found->second.dead = true;
    }
    if ((events[i].events & EPOLLOUT) != 0) {
      write_to(found->second);
    }
  }
  sweep();
}

void IpcServer::Impl::accept_waiting() {
  while (connections() < kMaxConnections) {
    UniqueFd fd = listener_.accept();
    if (!fd) {
      return;
    }
    const auto uid = peer_uid(fd.get());
    if (!uid || (*uid != geteuid() && *uid != 0)) {
      handler_.on_event(uid ? fmt::format("refused a connection of user {}", *uid) : uid.error().message);
      continue;
    }
    admit(std::move(fd));
  }
}

void IpcServer::Impl::admit(UniqueFd fd) {
  const uint64_t id = next_id_++;
  Connection& connection = connections_[id];
  connection.id = id;
  connection.fd = std::move(fd);
  connection.opened = connection.last_heard = now_;
  connection.watched = EPOLLIN;
  epoll_event event{EPOLLIN, {.u64 = id}};
  connection.dead = epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd.get(), &event) != 0;
}

void IpcServer::Impl::read_from(Connection& connection) {
  for (int i = 0; i < kChunksPerCall; ++i) {
    if (connection.dead || connection.closing || connection.waits_for_apply) {
      return;
    }
    const ssize_t got = recv(connection.fd.get(), chunk_.data(), chunk_.size(), 0);
    if (got <= 0) {
      connection.dead = connection.dead || got == 0 || (errno != EAGAIN && errno != EINTR);
      return;
    }
    connection.last_heard = now_;
    connection.reader.feed(std::span(chunk_).first(static_cast<size_t>(got)));
    take_frames(connection);
  }
}

void IpcServer::Impl::take_frames(Connection& connection) {
  while (!connection.closing && !connection.dead && !connection.waits_for_apply) {
    const auto frame = connection.reader.next();
    if (!frame) {
      refuse(connection, 0, frame.error().message, true);
      return;
    }
    if (!*frame) {
      return;
    }
    ipc::Envelope request;
    if (!request.ParseFromArray((*frame)->data(), static_cast<int>((*frame)->size()))) {
      refuse(connection, 0, "a frame is no message", true);
      return;
    }
    connection.reader.drop_taken();
    take(connection, request);
  }
}

void IpcServer::Impl::take(Connection& connection, ipc::Envelope& request) {
  if (!connection.greeted && !request.has_hello()) {
    return refuse(connection, request.id(), "the first request is not Hello", true);
  }
  ipc::Envelope reply;
  reply.set_id(request.id());
  switch (request.body_case()) {
    case ipc::Envelope::kHello:
      return take_hello(connection, request);
    case ipc::Envelope::kApply:
      return take_apply(connection, request);
    case ipc::Envelope::kFlowLookup:
      return take_flow_lookup(connection, request);
    case ipc::Envelope::kExplain:
      return take_explain(connection, request);
    case ipc::Envelope::kStatsRequest:
      handler_.fill_stats(request.stats_request(), *reply.mutable_stats());
      return send(connection, reply);
    case ipc::Envelope::kFlowSummaryRequest:
      handler_.summarize(*reply.mutable_flow_summary());
      return send(connection, reply);
    default:
      // A newer minor version may ask what we do not know: it gets told and goes on.
      return refuse(connection, request.id(), "not a request that is known here", false);
  }
}

void IpcServer::Impl::take_hello(Connection& connection, const ipc::Envelope& request) {
  const ipc::Hello& hello = request.hello();
  if (hello.major() != kProtocolMajor) {
    return refuse(
        connection, request.id(),
        fmt::format("protocol {}.{} is not supported here, only {}.x: start the same version of both "
                    "programs",
                    hello.major(), hello.minor(), kProtocolMajor),
        true);
  }
  connection.greeted = true;
  if (!hello.program().empty()) {
    connection.program = hello.program().substr(0, 64);
  }
  ipc::Envelope envelope;
  envelope.set_id(request.id());
  ipc::HelloReply& reply = *envelope.mutable_hello_reply();
  handler_.fill_hello(reply);
  reply.set_major(kProtocolMajor);
  reply.set_minor(kProtocolMinor);
  if (hello.want_lease()) {
    reply.set_lease_refused(give_lease(connection));
  }
  reply.set_has_lease(lease_holder_ == connection.id);
  send(connection, envelope);
}

// Empty when the connection has the lease now, else why not.
std::string IpcServer::Impl::give_lease(Connection& connection) {
  if (lease_holder_ == connection.id) {
    return {};
  }
  const auto holder = connections_.find(lease_holder_);
  if (holder != connections_.end() && !holder->second.dead) {
    // Bytes that the holder has sent and we have not read yet count as heard.
    char byte;
    if (recv(holder->second.fd.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
      holder->second.last_heard = now_;
    }
    const Duration silent = now_ - holder->second.last_heard;
    if (silent <= kLeaseTimeout || holder->second.waits_for_apply) {
      return fmt::format("{} holds the lease, heard {} ms ago", holder->second.program,
                         std::chrono::duration_cast<std::chrono::milliseconds>(silent).count());
    }
    holder->second.reader.set_limit(kMaxSmallFrame);
    handler_.on_event(fmt::format("{} takes the lease from {}, which is silent", connection.program,
                                  holder->second.program));
  }
  lease_holder_ = connection.id;
  connection.reader.set_limit(kMaxFrameSize);
  return {};
}

void IpcServer::Impl::take_apply(Connection& connection, ipc::Envelope& request) {
  if (lease_holder_ != connection.id) {
    return refuse(connection, request.id(), "this connection does not hold the lease", false);
  }
  ipc::Envelope envelope;
  envelope.set_id(request.id());
  auto change = from_message(request.apply());
  request.clear_body();  // a big state is not held twice while it is applied
  if (!change) {
    ipc::HelloReply running;
    handler_.fill_hello(running);
    envelope.mutable_apply_reply()->set_generation(running.generation());
    envelope.mutable_apply_reply()->set_error(change.error().message);
    handler_.on_event("refused a change: " + change.error().message);
    return send(connection, envelope);
  }
  connection.waits_for_apply = true;
  auto reply = handler_.apply(std::move(*change), IpcHandler::Ticket{connection.id, request.id()});
  if (reply) {
    connection.waits_for_apply = false;
    *envelope.mutable_apply_reply() = std::move(*reply);
    send(connection, envelope);
  }
}

void IpcServer::Impl::take_flow_lookup(Connection& connection, const ipc::Envelope& request) {
  const auto query = from_message(request.flow_lookup());
  if (!query) {
    return refuse(connection, request.id(), query.error().message, false);
  }
  ipc::Envelope reply;
  reply.set_id(request.id());
  handler_.look_up(*query, *reply.mutable_flow_lookup_reply());
  send(connection, reply);
}

void IpcServer::Impl::take_explain(Connection& connection, const ipc::Envelope& request) {
  const auto query = from_message(request.explain());
  if (!query) {
    return refuse(connection, request.id(), query.error().message, false);
  }
  ipc::Envelope reply;
  reply.set_id(request.id());
  handler_.explain(*query, *reply.mutable_explain_reply());
  send(connection, reply);
}

void IpcServer::Impl::answer(IpcHandler::Ticket ticket, const ipc::ApplyReply& reply) {
  const auto found = connections_.find(ticket.connection);
  if (found == connections_.end()) {
    return;
  }
  Connection& connection = found->second;
  connection.waits_for_apply = false;
  connection.last_heard = std::max(connection.last_heard, now_);
  ipc::Envelope envelope;
  envelope.set_id(ticket.request);
  *envelope.mutable_apply_reply() = reply;
  send(connection, envelope);
  // Requests behind the Apply may be whole in the reader already: no event will tell of them.
  take_frames(connection);
  watch(connection);
}

void IpcServer::Impl::send(Connection& connection, const ipc::Envelope& reply) {
  if (connection.dead) {
    return;
  }
  if (auto queued = connection.writer.push(reply); !queued) {
    handler_.on_event(fmt::format("dropped {}: {}", connection.program, queued.error().message));
    connection.dead = true;
    return;
  }
  write_to(connection);
}

void IpcServer::Impl::refuse(Connection& connection, uint64_t request, const std::string& why, bool close) {
  handler_.on_event(fmt::format("refused a request of {}: {}", connection.program, why));
  ipc::Envelope envelope;
  envelope.set_id(request);
  envelope.mutable_error()->set_message(why);
  connection.closing = connection.closing || close;
  send(connection, envelope);
}

void IpcServer::Impl::write_to(Connection& connection) {
  while (!connection.writer.pending().empty()) {
    const auto rest = connection.writer.pending();
    const ssize_t sent = ::send(connection.fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) {
      connection.dead = connection.dead || (errno != EAGAIN && errno != EINTR);
      return;
    }
    connection.writer.consume(static_cast<size_t>(sent));
  }
  connection.dead = connection.dead || connection.closing;
}

// The only place where connections end: nothing above holds a reference when it runs.
void IpcServer::Impl::sweep() {
  for (auto at = connections_.begin(); at != connections_.end();) {
    Connection& connection = at->second;
    const bool silent = !connection.greeted && now_ - connection.opened > kHelloTimeout;
    const bool unread = connection.closing && now_ - connection.last_heard > kHelloTimeout;
    if (connection.dead || silent || unread) {
      if (lease_holder_ == connection.id) {
        lease_holder_ = 0;
      }
      at = connections_.erase(at);
    } else {
      watch(connection);
      ++at;
    }
  }
  watch_listener();
}

Result<IpcServer> IpcServer::listen(const std::string& path, IpcHandler& handler) {
  auto listener = UnixListener::open(path, 0600);
  if (!listener) {
    return tl::unexpected(std::move(listener.error()));
  }
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) {
    return fail_errno("epoll_create1", errno);
  }
  return IpcServer(std::make_unique<Impl>(std::move(*listener), std::move(epoll), handler));
}

IpcServer::IpcServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
IpcServer::IpcServer(IpcServer&&) noexcept = default;
IpcServer& IpcServer::operator=(IpcServer&&) noexcept = default;
IpcServer::~IpcServer() = default;

int IpcServer::fd() const {
  return impl_->fd();
}
void IpcServer::poll_once(Time now, std::chrono::milliseconds timeout) {
  impl_->poll_once(now, timeout);
}
void IpcServer::answer(IpcHandler::Ticket ticket, const ipc::ApplyReply& reply) {
  impl_->answer(ticket, reply);
}
int IpcServer::connections() const {
  return impl_->connections();
}

}  // namespace maglb
