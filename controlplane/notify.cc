#include "controlplane/notify.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include "lib/base/clock.h"

namespace maglb {

Notify::Notify(boost::asio::io_context& io) : timer_(io) {
  uint64_t usec = 0;
  if (sd_watchdog_enabled(0, &usec) > 0) {
    watchdog_ = std::chrono::microseconds(usec);
  }
}

void Notify::ready(const std::string& status) {
  sd_notify(0, fmt::format("READY=1\nSTATUS={}", status).c_str());
  if (watchdog_.count() > 0) {
    beat();
  }
}

void Notify::reloading() {
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(monotonic_now());
  sd_notify(0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.count()).c_str());
}

void Notify::stopping() {
  sd_notify(0, "STOPPING=1");
}

void Notify::beat() {
  sd_notify(0, "WATCHDOG=1");
  timer_.expires_after(watchdog_ / 3);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      beat();
    }
  });
}

}  // namespace maglb
