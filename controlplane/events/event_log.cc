#include "controlplane/events/event_log.h"

#include <algorithm>

namespace maglb {

std::string_view to_string(EventKind kind) {
  constexpr std::string_view kNames[] = {"health", "drain",   "ramp",   "panic",   "fallback",
                                         "hold",   "members", "config", "publish", "dataplane"};
  return kNames[static_cast<size_t>(kind)];
}

void EventLog::record(EventKind kind, std::string_view pool, std::string_view backend,
                      std::string_view text) {
  if (events_.size() == capacity_) {
    events_.pop_front();
  }
  events_.push_back({next_number_++, std::chrono::system_clock::now(), kind, std::string(pool),
                     std::string(backend), std::string(text.substr(0, kMaxText))});
  const Event event = events_.back();
  // A listener may subscribe or unsubscribe while it is called.
  const auto listeners = listeners_;
  for (const auto& [subscription, listener] : listeners) {
    if (listeners_.contains(subscription)) {
      listener(event);
    }
  }
}

std::vector<Event> EventLog::since(uint64_t number) const {
  const auto first = std::upper_bound(events_.begin(), events_.end(), number,
                                      [](uint64_t n, const Event& event) { return n < event.number; });
  return {first, events_.end()};
}

uint64_t EventLog::subscribe(Listener listener) {
  listeners_.emplace(next_subscription_, std::move(listener));
  return next_subscription_++;
}

void EventLog::unsubscribe(uint64_t subscription) {
  listeners_.erase(subscription);
}

}  // namespace maglb
