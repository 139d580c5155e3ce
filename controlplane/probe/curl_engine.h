// libcurl on the event loop: one multi handle, whose sockets and timer are asio's. No thread, no signal, no
// name looked up.
//
// Invariants:
//   1. A transfer's ended() is called from the io_context, never from inside add() or remove(), and not any
//      more once remove() was called.
//   2. Every transfer has a connection of its own, closed with a reset (SO_LINGER 0) when it is removed: see
//      tcp_attempt.h for why.
//   3. A descriptor belongs to the engine from open_socket() until libcurl closes it.
//
// Threads: the io_context's one. It may be destroyed when no transfer is left in it.
#pragma once

#include <curl/curl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <unordered_map>

#include "controlplane/probe/target.h"
#include "controlplane/probe/trust_store.h"

namespace maglb {

class CurlEngine : public std::enable_shared_from_this<CurlEngine> {
 public:
  class Transfer {
   public:
    // It has to call remove().
    virtual void ended(CURLcode code) = 0;

   protected:
    ~Transfer() = default;
  };

  // REQUIRES: held by shared_ptr.
  explicit CurlEngine(boost::asio::io_context& io);
  ~CurlEngine();
  CurlEngine(const CurlEngine&) = delete;
  CurlEngine& operator=(const CurlEngine&) = delete;

  boost::asio::io_context& io() { return io_; }
  TrustStores& trust_stores() { return trust_stores_; }

  // Begins what `easy` was set up for. False when memory is out. REQUIRES: its sockets are from
  // open_socket() and go to close_socket().
  bool add(CURL* easy, Transfer& transfer);
  // Drops it with its connection. REQUIRES: added; not from inside a callback of libcurl.
  void remove(CURL* easy);

  // A TCP socket for the target, or CURL_SOCKET_BAD with `error` set.
  curl_socket_t open_socket(const ProbeTarget& target, boost::system::error_code& error);
  // For CURLOPT_CLOSESOCKETFUNCTION, whose pointer is the engine.
  static int close_socket(void* engine, curl_socket_t fd);

 private:
  struct Socket;

  static int on_socket(CURL* easy, curl_socket_t fd, int what, void* engine, void* unused);
  static int on_timer(CURLM* multi, long timeout_ms, void* engine);
  void watch(const std::shared_ptr<Socket>& socket);
  void wait(const std::shared_ptr<Socket>& socket, int direction);
  void ready(const std::shared_ptr<Socket>& socket, int direction, const boost::system::error_code& error);
  void act(curl_socket_t fd, int events);
  void tell_ended();

  boost::asio::io_context& io_;
  boost::asio::steady_timer timer_;
  TrustStores trust_stores_;
  CURLM* multi_ = nullptr;
  std::unordered_map<curl_socket_t, std::shared_ptr<Socket>> sockets_;
};

}  // namespace maglb
