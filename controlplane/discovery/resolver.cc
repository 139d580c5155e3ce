#include "controlplane/discovery/resolver.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/time.h>

#include <array>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstring>
#include <utility>

namespace maglb {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr int kClassInternet = 1;
constexpr int kTimeoutMs = 1500;  // doubled for each try
constexpr int kTries = 2;

Error error_of(int status) {
  const bool absent = status == ARES_ENOTFOUND || status == ARES_ENODATA;
  return {absent ? ErrorKind::kNotFound : ErrorKind::kUnavailable, ares_strerror(status)};
}

IpAddress address_of(const sockaddr& address) {
  IpAddress result;
  if (address.sa_family == AF_INET) {
    std::array<uint8_t, 4> bytes = {};
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in&>(address).sin_addr, bytes.size());
    return IpAddress::v4(bytes);
  }
  std::memcpy(result.bytes.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr,
              result.bytes.size());
  return result;
}

}  // namespace

struct Resolver::Socket {
  explicit Socket(asio::io_context& io) : descriptor(io) {}
  asio::posix::stream_descriptor descriptor;
  ares_socket_t fd = ARES_SOCKET_BAD;
  bool wants_reading = false;
  bool wants_writing = false;
  bool waits_reading = false;
  bool waits_writing = false;
};

struct Resolver::Question {
  asio::io_context& io;
  Answered answered;
};

struct Resolver::Lookup {
  asio::io_context& io;
  Addressed addressed;
};

Result<std::shared_ptr<Resolver>> Resolver::make(asio::io_context& io,
                                                 const std::vector<std::string>& servers) {
  const std::shared_ptr<Resolver> resolver(new Resolver(io));
  ares_options options = {};
  options.timeout = kTimeoutMs;
  options.tries = kTries;
  options.sock_state_cb = &Resolver::on_socket;
  options.sock_state_cb_data = resolver.get();
  int status = ares_init_options(&resolver->channel_, &options,
                                 ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (status == ARES_SUCCESS && !servers.empty()) {
    const std::string list = fmt::format("{}", fmt::join(servers, ","));
    status = ares_set_servers_ports_csv(resolver->channel_, list.c_str());
  }
  if (status != ARES_SUCCESS) {
    return tl::unexpected<Error>(error_of(status).within("c-ares"));
  }
  return resolver;
}

Resolver::~Resolver() {
  if (channel_ != nullptr) {
    ares_destroy(channel_);  // which ends the open questions
  }
}

void Resolver::ask(const std::string& name, RecordType type, Answered answered) {
  auto question = std::make_unique<Question>(Question{io_, std::move(answered)});
  ares_query(channel_, name.c_str(), kClassInternet, static_cast<int>(type), &Resolver::on_answer,
             question.release());
  set_timer();
}

void Resolver::find_addresses(const std::string& name, Addressed addressed) {
  ares_addrinfo_hints hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = ARES_AI_NOSORT;
  auto lookup = std::make_unique<Lookup>(Lookup{io_, std::move(addressed)});
  ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, &Resolver::on_addresses, lookup.release());
  set_timer();
}

void Resolver::on_answer(void* data, int status, int, unsigned char* message, int size) {
  const std::unique_ptr<Question> question(static_cast<Question*>(data));
  if (status == ARES_EDESTRUCTION) {
    return;
  }
  Result<std::vector<uint8_t>> result = tl::unexpected<Error>(error_of(status));
  if (status == ARES_SUCCESS) {
    result = std::vector<uint8_t>(message, message + size);
  }
  asio::post(question->io, [answered = std::move(question->answered), result = std::move(result)]() mutable {
    answered(std::move(result));
  });
}

void Resolver::on_addresses(void* data, int status, int, ares_addrinfo* found) {
  const std::unique_ptr<Lookup> lookup(static_cast<Lookup*>(data));
  const std::unique_ptr<ares_addrinfo, void (*)(ares_addrinfo*)> owner(
      found, [](ares_addrinfo* info) { ares_freeaddrinfo(info); });
  if (status == ARES_EDESTRUCTION) {
    return;
  }
  std::vector<IpAddress> addresses;
  for (const ares_addrinfo_node* node = found == nullptr ? nullptr : found->nodes; node != nullptr;
       node = node->ai_next) {
    addresses.push_back(address_of(*node->ai_addr));
  }
  Result<std::vector<IpAddress>> result = tl::unexpected<Error>(error_of(status));
  if (status == ARES_SUCCESS) {
    result = addresses.empty() ? Result<std::vector<IpAddress>>(tl::unexpected<Error>(error_of(ARES_ENODATA)))
                               : std::move(addresses);
  }
  asio::post(lookup->io, [addressed = std::move(lookup->addressed), result = std::move(result)]() mutable {
    addressed(std::move(result));
  });
}

// Neither readable nor writable: c-ares is about to close it.
void Resolver::on_socket(void* data, ares_socket_t fd, int readable, int writable) {
  Resolver& self = *static_cast<Resolver*>(data);
  auto found = self.sockets_.find(fd);
  if (readable == 0 && writable == 0) {
    if (found != self.sockets_.end()) {
      found->second->descriptor.release();
      self.sockets_.erase(found);
    }
    return;
  }
  if (found == self.sockets_.end()) {
    auto socket = std::make_shared<Socket>(self.io_);
    error_code error;
    socket->fd = fd;
    socket->descriptor.assign(fd, error);
    if (error) {
      return;  // the question ends by its timeout
    }
    found = self.sockets_.emplace(fd, std::move(socket)).first;
  }
  found->second->wants_reading = readable != 0;
  found->second->wants_writing = writable != 0;
  self.watch(found->second);
}

void Resolver::watch(const std::shared_ptr<Socket>& socket) {
  if (socket->wants_reading && !std::exchange(socket->waits_reading, true)) {
    wait(socket, true);
  }
  if (socket->wants_writing && !std::exchange(socket->waits_writing, true)) {
    wait(socket, false);
  }
}

void Resolver::wait(const std::shared_ptr<Socket>& socket, bool for_reading) {
  socket->descriptor.async_wait(
      for_reading ? asio::posix::descriptor_base::wait_read : asio::posix::descriptor_base::wait_write,
      [weak = weak_from_this(), socket, for_reading](const error_code& error) {
        const auto self = weak.lock();
        (for_reading ? socket->waits_reading : socket->waits_writing) = false;
        if (error || !self || !socket->descriptor.is_open()) {
          return;
        }
        if (for_reading ? socket->wants_reading : socket->wants_writing) {
          self->process(for_reading ? socket->fd : ARES_SOCKET_BAD,
                        for_reading ? ARES_SOCKET_BAD : socket->fd);
        }
        // C-ares says nothing while it goes on to want the same.
        if (socket->descriptor.is_open()) {
          self->watch(socket);
        }
      });
}

void Resolver::process(ares_socket_t readable, ares_socket_t writable) {
  ares_process_fd(channel_, readable, writable);
  set_timer();
}

void Resolver::set_timer() {
  timeval left = {};
  if (ares_timeout(channel_, nullptr, &left) == nullptr) {
    timer_.cancel();
    return;
  }
  // A millisecond more: c-ares takes an early call for none.
  timer_.expires_after(std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec) +
                       std::chrono::milliseconds(1));
  timer_.async_wait([weak = weak_from_this()](const error_code& error) {
    const auto self = weak.lock();
    if (!error && self) {
      self->process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
  });
}

}  // namespace maglb
