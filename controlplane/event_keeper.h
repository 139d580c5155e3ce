// Keeps the events over a restart: in batches, once a second, so that a flapping fleet does not wait for the
// disk at each event. A kill -9 loses the events of the last second, and no number is given again: they are
// promised in the store before they are used.
//
// Threads: the io_context's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <vector>

#include "controlplane/events/event_log.h"
#include "controlplane/store/store.h"

namespace maglb {

class EventKeeper {
 public:
  static constexpr std::chrono::milliseconds kInterval{1000};
  static constexpr uint64_t kPromise = 1000;
  // More than are kept anyway are not held while the disk refuses.
  static constexpr size_t kMaxUnsaved = kMaxStoredEvents;

  // Gives `log` what was kept. REQUIRES: nothing was recorded yet; both outlive it.
  EventKeeper(boost::asio::io_context& io, EventLog& log, Store& store);
  ~EventKeeper();
  EventKeeper(const EventKeeper&) = delete;
  EventKeeper& operator=(const EventKeeper&) = delete;

 private:
  void take(const Event& event);
  void save(uint64_t promise);
  void save_later();

  EventLog& log_;
  Store& store_;
  boost::asio::steady_timer timer_;
  std::vector<Event> unsaved_;
  uint64_t promised_ = 0;
  uint64_t last_ = 0;  // number given
  uint64_t subscription_ = 0;
  bool waiting_ = false;
};

}  // namespace maglb
