// How many events of each kind there were since the start: the log forgets, a counter does not.
//
// Threads: the io_context's one.
#pragma once

#include <array>

#include "controlplane/events/event_log.h"

namespace maglb {

class EventCounts {
 public:
  explicit EventCounts(EventLog& log)
      : log_(log),
        subscription_(
            log.subscribe([this](const Event& event) { ++counts_[static_cast<size_t>(event.kind)]; })) {}
  ~EventCounts() { log_.unsubscribe(subscription_); }
  EventCounts(const EventCounts&) = delete;
  EventCounts& operator=(const EventCounts&) = delete;

  uint64_t of(EventKind kind) const { return counts_[static_cast<size_t>(kind)]; }

 private:
  EventLog& log_;
  std::array<uint64_t, kEventKinds> counts_{};
  uint64_t subscription_;
};

}  // namespace maglb
