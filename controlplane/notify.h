// What systemd wants to know: READY, RELOADING, STOPPING, STATUS and a sign of life. Without systemd
// (no NOTIFY_SOCKET) it does nothing.
//
// Threads: the io_context's one, so that the sign of life is the event loop's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <string>

namespace maglb {

class Notify {
 public:
  explicit Notify(boost::asio::io_context& io);

  // Begins the signs of life too, when systemd asked for them (WATCHDOG_USEC).
  void ready(const std::string& status);
  void reloading();
  void stopping();

 private:
  void beat();

  boost::asio::steady_timer timer_;
  std::chrono::microseconds watchdog_{0};
};

}  // namespace maglb
