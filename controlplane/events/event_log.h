// What happened, for people: transitions of health, drains, publishes, changes of members, with the reasons.
//
// Invariants:
//   1. Numbers count up from 1 and are not given twice; what is in recent() is in their order.
//   2. At most `capacity` events are kept; the oldest go first.
//   3. A text is at most kMaxText bytes: it may hold what a server or a source sent.
//
// Threads: the io_context's one.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace maglb {

enum class EventKind : uint8_t {
  kHealth,     // a backend became healthy or unhealthy
  kDrain,      // a drain began, or ended by its deadline
  kRamp,       // a slow start began or ended
  kPanic,      // a pool has fewer healthy backends than min_healthy, or has enough again
  kFallback,   // a pool's fallback serves for it, or no longer
  kHold,       // all probes failed together and nothing was done, or that is over
  kMembers,    // a source's members changed, or it is gone or back
  kConfig,     // a revision was applied, refused, rolled back, confirmed
  kPublish,    // a generation reached the workers, or was refused
  kDataplane,  // connected or gone
};

inline constexpr size_t kEventKinds = static_cast<size_t>(EventKind::kDataplane) + 1;

std::string_view to_string(EventKind kind);  // "health", "drain", ...
std::optional<EventKind> event_kind(std::string_view name);

struct Event {
  uint64_t number = 0;
  std::chrono::system_clock::time_point time{};
  EventKind kind = EventKind::kHealth;
  std::string pool;     // empty: of none
  std::string backend;  // empty: of none
  std::string text;     // "unhealthy: connect: connection refused"
};

class EventLog {
 public:
  static constexpr size_t kMaxText = 1024;

  explicit EventLog(size_t capacity = 10000) : capacity_(capacity) {}

  // What an earlier process left, the oldest first; the next event has `next_number`, or a higher one where
  // these say so. REQUIRES: nothing was recorded yet.
  void restore(std::vector<Event> events, uint64_t next_number);

  // `number` and `time` are set here.
  void record(EventKind kind, std::string_view pool, std::string_view backend, std::string_view text);

  uint64_t next_number() const { return next_number_; }
  // The events after `number`, the oldest first.
  std::vector<Event> since(uint64_t number) const;

  // `listener` is called with each event from now on, until the returned number is given to unsubscribe().
  using Listener = std::function<void(const Event&)>;
  uint64_t subscribe(Listener listener);
  void unsubscribe(uint64_t subscription);

 private:
  size_t capacity_;
  std::deque<Event> events_;
  std::map<uint64_t, Listener> listeners_;
  uint64_t next_number_ = 1;
  uint64_t next_subscription_ = 1;
};

}  // namespace maglb
