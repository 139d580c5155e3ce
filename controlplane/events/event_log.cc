#include "controlplane/events/event_log.h"

#include <algorithm>

namespace maglb {

namespace {

constexpr std::string_view kNames[] = {"health", "drain",   "ramp",   "panic",   "fallback",
                                       "hold",   "members", "config", "publish", "dataplane"};

}  // namespace

std::string_view to_string(EventKind kind) {
  return kNames[static_cast<size_t>(kind)];
}

std::optional<EventKind> event_kind(std::string_view name) {
  const auto* const found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) {
    return std::nullopt;
  }
  return static_cast<EventKind>(found - std::begin(kNames));
}

void EventLog::restore(std::vector<Event> events, uint64_t next_number) {
  const size_t skipped = events.size() - std::min(events.size(), capacity_);
  events_.assign(std::make_move_iterator(events.begin() + static_cast<std::ptrdiff_t>(skipped)),
                 std::make_move_iterator(events.end()));
  next_number_ = std::max(next_number, events_.empty() ? 1 : events_.back().number + 1);
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
