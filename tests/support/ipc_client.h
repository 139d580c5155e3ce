// A blocking client of the control socket for tests: raw bytes or whole messages out, messages in.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/unique_fd.h"
#include "lib/ipc/frame.h"
#include "lib/ipc/messages.h"

namespace maglb::test {

class IpcClient {
 public:
  // `pump` is called while the client waits: a test with client and server in one thread serves there.
  explicit IpcClient(
      const std::string& path, std::function<void()> pump = [] {})
      : pump_(std::move(pump)) {
    fd_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    connected_ = connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    fcntl(fd_.get(), F_SETFL, O_NONBLOCK);
  }

  bool is_connected() const { return connected_; }
  void close() { fd_ = UniqueFd(); }

  // False when the peer closed the connection before it took everything.
  bool send_bytes(std::span<const uint8_t> bytes) {
    const Time deadline = monotonic_now() + std::chrono::seconds(20);
    while (!bytes.empty() && monotonic_now() < deadline) {
      const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        bytes = bytes.subspan(static_cast<size_t>(sent));
      } else if (errno != EAGAIN) {
        return false;
      }
      pump_();
    }
    return bytes.empty();
  }

  bool send_message(const ipc::Envelope& message) {
    FrameWriter writer;
    return writer.push(message) && send_bytes(writer.pending());
  }

  // The next message; nothing when the stream ended or nothing came in time.
  std::optional<ipc::Envelope> receive(Duration patience = std::chrono::seconds(20)) {
    const Time deadline = monotonic_now() + patience;
    while (monotonic_now() < deadline) {
      pump_();
      if (const auto frame = reader_.next(); frame && *frame) {
        ipc::Envelope message;
        return message.ParseFromArray((*frame)->data(), static_cast<int>((*frame)->size()))
                   ? std::optional(std::move(message))
                   : std::nullopt;
      }
      uint8_t buffer[16384];
      const ssize_t got = recv(fd_.get(), buffer, sizeof buffer, 0);
      if (got > 0) {
        reader_.feed(std::span(buffer).first(static_cast<size_t>(got)));
      } else if (got == 0 || errno != EAGAIN) {
        ended_ = true;
        return std::nullopt;
      } else {
        pollfd wait{fd_.get(), POLLIN, 0};
        poll(&wait, 1, 1);
      }
    }
    return std::nullopt;
  }

  std::optional<ipc::Envelope> ask(const ipc::Envelope& request) {
    return send_message(request) ? receive() : std::nullopt;
  }

  // True once the peer closed the connection, whatever it said before.
  bool is_ended_by_peer() {
    while (receive()) {
    }
    return ended_;
  }

 private:
  UniqueFd fd_;
  FrameReader reader_;
  std::function<void()> pump_;
  bool connected_ = false;
  bool ended_ = false;
};

inline ipc::Envelope hello(bool want_lease, uint32_t major = kProtocolMajor) {
  ipc::Envelope request;
  request.set_id(1);
  request.mutable_hello()->set_major(major);
  request.mutable_hello()->set_minor(kProtocolMinor);
  request.mutable_hello()->set_program("test");
  request.mutable_hello()->set_want_lease(want_lease);
  return request;
}

}  // namespace maglb::test
