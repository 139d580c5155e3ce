// One connection of an HttpServer: reads a request, has it answered, writes the answer, reads the next. Only
// session.cc includes the HTTP library.
//
// A request's head has kHeadTimeout and kMaxHead bytes to arrive, its body kBodyTimeout and kMaxBody; an
// answer, or a piece of a stream, has kWriteTimeout to be taken. A TLS handshake counts as a part of the
// head. Requests of one connection are answered one after the other, pipelined or not. A stream is the last
// answer of its connection, and its end that of the body.
//
// Threads: the io_context's one.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "controlplane/api/message.h"

namespace maglb {

class Session {
 public:
  static constexpr size_t kMaxHead = size_t{16} << 10;
  static constexpr size_t kMaxBody = size_t{16} << 20;
  static constexpr std::chrono::seconds kHeadTimeout{10};
  static constexpr std::chrono::seconds kBodyTimeout{20};
  static constexpr std::chrono::seconds kWriteTimeout{20};

  using Socket = boost::asio::generic::stream_protocol::socket;
  using Handle = std::function<void(const ApiRequest&, Respond)>;
  using PeerOf = std::function<Peer(const std::string& name)>;
  // Called once, when the session has closed its connection.
  using OnClose = std::function<void(const std::shared_ptr<Session>&)>;

  // REQUIRES: the socket does not block. Handlers under way keep a session alive.
  static std::shared_ptr<Session> plain(Socket socket, Peer peer, Handle handle, OnClose on_close);
  // `peer_of` judges the common name of the certificate that was verified.
  static std::shared_ptr<Session> tls(Socket socket, std::shared_ptr<boost::asio::ssl::context> context,
                                      PeerOf peer_of, Handle handle, OnClose on_close);

  virtual ~Session() = default;
  virtual void start() = 0;
  virtual void close() = 0;
  // It works for its peer: an answer is being made, or a stream goes on.
  virtual bool is_answering() const = 0;
  virtual std::chrono::steady_clock::time_point quiet_since() const = 0;
  virtual Access access() const = 0;
};

}  // namespace maglb
