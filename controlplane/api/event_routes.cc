#include "controlplane/api/event_routes.h"

#include <fmt/format.h>

#include "controlplane/api/objects.h"
#include "controlplane/api/query.h"

namespace maglb {
namespace {

constexpr uint64_t kDefaultPage = 100;
constexpr uint64_t kMaxPage = 10000;

Json event_object(const Event& event) {
  return {{"number", event.number},
          {"at", std::chrono::duration<double>(event.time.time_since_epoch()).count()},
          {"kind", to_string(event.kind)},
          {"pool", event.pool.empty() ? Json(nullptr) : Json(event.pool)},
          {"backend", event.backend.empty() ? Json(nullptr) : Json(event.backend)},
          {"text", event.text}};
}

// With `after` the oldest of what follows, so that nothing is skipped on the way; else the newest.
ApiResponse get_events(const Target& target, const EventLog& log) {
  const auto after = number_parameter(target, "after", 0, INT64_MAX);
  const auto limit = number_parameter(target, "limit", kDefaultPage, kMaxPage);
  if (!after || !limit) {
    return error_response(Refusal{after ? limit.error() : after.error(), {}});
  }
  const std::string pool = text_parameter(target, "pool");
  const std::string kind = text_parameter(target, "kind");
  if (!kind.empty() && !event_kind(kind)) {
    return error_response(400, "invalid", fmt::format("kind: there is no kind of event {}", kind));
  }
  std::vector<Event> events = log.since(*after);
  std::erase_if(events, [&](const Event& event) {
    return (!pool.empty() && event.pool != pool) || (!kind.empty() && to_string(event.kind) != kind);
  });
  const bool from_start = target.query.contains("after");
  const size_t count = std::min<size_t>(events.size(), *limit);
  const size_t first = from_start ? 0 : events.size() - count;
  Json list = Json::array();
  for (size_t i = first; i < first + count; ++i) {
    list.push_back(event_object(events[i]));
  }
  const Json answer = {{"events", std::move(list)}, {"last", log.next_number() - 1}};
  return {200, "application/json", answer.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

}  // namespace

void add_event_routes(Api& api, const EventLog& events) {
  api.add("GET", "/v1/events", [&events](const Api::Arguments& call, const Respond& respond) {
    respond(get_events(call.target, events));
  });
}

}  // namespace maglb
