// GET /v1/watch: the event log as server-sent events (the HTML standard, 9.2), as they happen.
//
//   id: 42
//   event: health
//   data: {"number":42,"time":1790000000.123,"kind":"health","pool":"web","backend":"web1","text":"..."}
//
// `kinds=health,drain` chooses; Last-Event-ID (a header, or the parameter `after`) resumes behind that
// number. What is no longer kept, or more than kMaxBacklog, is told as an event `lost`; a comment each
// kHeartbeat shows that the connection stands. A reader that does not keep up is told `overflow` and is
// closed: it comes back with its last id. At most kMaxWatchers at a time, so that the other connections keep
// their places.
//
// Threads: the io_context's one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <memory>

#include "controlplane/api/message.h"
#include "controlplane/api/target.h"
#include "controlplane/events/event_log.h"

namespace maglb {

class Watch {
 public:
  static constexpr size_t kMaxWatchers = 16;
  static constexpr size_t kMaxBacklog = BodyWriter::kMaxQueued / 2;  // bytes
  static constexpr std::chrono::milliseconds kHeartbeat{15000};

  Watch(boost::asio::io_context& io, EventLog& log, std::chrono::milliseconds heartbeat = kHeartbeat);
  ~Watch();

  // 400 for a kind or a number that is none, 503 when there are too many watchers.
  ApiResponse open(const ApiRequest& request, const Target& target);

 private:
  class Watcher;
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace maglb
