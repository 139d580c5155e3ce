#include "controlplane/probe/curl_engine.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <utility>

#include "controlplane/probe/probe_socket.h"
#include "lib/base/check.h"

namespace maglb {

namespace asio = boost::asio;
using boost::system::error_code;

static_assert(CURL_POLL_IN == CURL_CSELECT_IN && CURL_POLL_OUT == CURL_CSELECT_OUT, "one bit for both");

struct CurlEngine::Socket {
  explicit Socket(asio::io_context& io) : descriptor(io) {}
  asio::posix::stream_descriptor descriptor;
  int wanted = 0;   // CURL_POLL_IN, CURL_POLL_OUT
  int waiting = 0;  // those with a wait under way
};

CurlEngine::CurlEngine(asio::io_context& io) : io_(io), timer_(io) {
  check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "libcurl starts");
  multi_ = curl_multi_init();
  check(multi_ != nullptr, "libcurl has memory");
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlEngine::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlEngine::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
}

CurlEngine::~CurlEngine() {
  curl_multi_cleanup(multi_);
  curl_global_cleanup();
}

bool CurlEngine::add(CURL* easy, Transfer& transfer) {
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  return curl_multi_add_handle(multi_, easy) == CURLM_OK;
}

void CurlEngine::remove(CURL* easy) {
  curl_multi_remove_handle(multi_, easy);
}

curl_socket_t CurlEngine::open_socket(const ProbeTarget& target, error_code& error) {
  const int fd = open_probe_socket(target, SOCK_STREAM, IPPROTO_TCP, error);
  if (fd < 0) {
    return CURL_SOCKET_BAD;
  }
  const linger reset = {1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  auto socket = std::make_shared<Socket>(io_);
  socket->descriptor.assign(fd, error);
  if (error) {
    ::close(fd);
    return CURL_SOCKET_BAD;
  }
  sockets_[fd] = std::move(socket);
  return fd;
}

int CurlEngine::close_socket(void* engine, curl_socket_t fd) {
  CurlEngine& self = *static_cast<CurlEngine*>(engine);
  const auto found = self.sockets_.find(fd);
  check(found != self.sockets_.end(), "libcurl closes what it was given");
  const std::shared_ptr<Socket> socket = std::move(found->second);
  self.sockets_.erase(found);
  error_code ignored;
  socket->descriptor.close(ignored);
  return 0;
}

int CurlEngine::on_socket(CURL*, curl_socket_t fd, int what, void* engine, void*) {
  CurlEngine& self = *static_cast<CurlEngine*>(engine);
  const auto found = self.sockets_.find(fd);
  if (found != self.sockets_.end()) {
    found->second->wanted = what == CURL_POLL_REMOVE ? 0 : what;
    self.watch(found->second);
  }
  return 0;
}

int CurlEngine::on_timer(CURLM*, long timeout_ms, void* engine) {
  CurlEngine& self = *static_cast<CurlEngine*>(engine);
  if (timeout_ms < 0) {
    self.timer_.cancel();
    return 0;
  }
  self.timer_.expires_after(std::chrono::milliseconds(timeout_ms));
  self.timer_.async_wait([weak = self.weak_from_this()](const error_code& error) {
    const std::shared_ptr<CurlEngine> engine = weak.lock();
    if (!error && engine) {
      engine->act(CURL_SOCKET_TIMEOUT, 0);
    }
  });
  return 0;
}

void CurlEngine::watch(const std::shared_ptr<Socket>& socket) {
  for (const int direction : {CURL_POLL_IN, CURL_POLL_OUT}) {
    if ((socket->wanted & ~socket->waiting & direction) != 0) {
      wait(socket, direction);
    }
  }
}

void CurlEngine::wait(const std::shared_ptr<Socket>& socket, int direction) {
  socket->waiting |= direction;
  socket->descriptor.async_wait(direction == CURL_POLL_IN ? asio::posix::descriptor_base::wait_read
                                                          : asio::posix::descriptor_base::wait_write,
                                [weak = weak_from_this(), socket, direction](const error_code& error) {
                                  if (const std::shared_ptr<CurlEngine> engine = weak.lock()) {
                                    engine->ready(socket, direction, error);
                                  }
                                });
}

void CurlEngine::ready(const std::shared_ptr<Socket>& socket, int direction, const error_code& error) {
  socket->waiting &= ~direction;
  if (error || !socket->descriptor.is_open()) {
    return;
  }
  if ((socket->wanted & direction) != 0) {
    act(socket->descriptor.native_handle(), direction);
  }
  // Libcurl says nothing while it goes on to want the same.
  if (socket->descriptor.is_open()) {
    watch(socket);
  }
}

void CurlEngine::act(curl_socket_t fd, int events) {
  const std::shared_ptr<CurlEngine> stays = shared_from_this();
  int running = 0;
  curl_multi_socket_action(multi_, fd, events, &running);
  tell_ended();
}

void CurlEngine::tell_ended() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) {
      continue;
    }
    const CURLcode code = message->data.result;  // the message goes with its transfer
    char* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    static_cast<Transfer*>(static_cast<void*>(transfer))->ended(code);
  }
}

}  // namespace maglb
