#include "controlplane/api/watch.h"

#include <fmt/format.h>

#include <bitset>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>

namespace maglb {
namespace {

using Json = nlohmann::ordered_json;
using Kinds = std::bitset<kEventKinds>;

struct Wish {
  Kinds kinds;
  std::optional<uint64_t> after;  // nothing: from now on
};

std::optional<EventKind> kind_of(std::string_view name) {
  for (size_t i = 0; i < kEventKinds; ++i) {
    if (to_string(static_cast<EventKind>(i)) == name) {
      return static_cast<EventKind>(i);
    }
  }
  return std::nullopt;
}

Result<Kinds> parse_kinds(std::string_view list) {
  Kinds kinds;
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(name.size() + 1, list.size()));
    const auto kind = kind_of(name);
    if (!kind) {
      return fail(ErrorKind::kInvalid, fmt::format("kinds: there is no kind of event '{}'", name));
    }
    kinds.set(static_cast<size_t>(*kind));
  }
  return kinds;
}

Result<Wish> parse_wish(const ApiRequest& request, const Target& target) {
  Wish wish{Kinds().set(), std::nullopt};
  if (const auto found = target.query.find("kinds"); found != target.query.end()) {
    const auto kinds = parse_kinds(found->second);
    if (!kinds) {
      return tl::unexpected(kinds.error());
    }
    wish.kinds = *kinds;
  }
  const auto after = target.query.find("after");
  const std::string& number =
      request.last_event_id.empty() && after != target.query.end() ? after->second : request.last_event_id;
  if (number.empty() && after == target.query.end()) {
    return wish;
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size()) {
    return fail(ErrorKind::kInvalid, "Last-Event-ID: expected the number of an event");
  }
  wish.after = value;
  return wish;
}

std::string frame(const Event& event) {
  using std::chrono::milliseconds;
  const auto since_1970 = std::chrono::duration_cast<milliseconds>(event.time.time_since_epoch());
  const auto or_null = [](const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); };
  const Json data = {{"number", event.number},
                     {"time", static_cast<double>(since_1970.count()) / 1000},
                     {"kind", to_string(event.kind)},
                     {"pool", or_null(event.pool)},
                     {"backend", or_null(event.backend)},
                     {"text", event.text}};
  // A text may hold what a server sent: JSON escapes line ends, which would end a field.
  return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", event.number, to_string(event.kind),
                     data.dump(-1, ' ', false, Json::error_handler_t::replace));
}

// The newest of `events` that fit, and how many there were before them.
std::pair<std::deque<std::string>, size_t> newest(const std::vector<Event>& events, const Kinds& kinds) {
  std::deque<std::string> frames;
  size_t bytes = 0, left = 0;
  for (auto at = events.rbegin(); at != events.rend(); ++at) {
    if (!kinds.test(static_cast<size_t>(at->kind))) {
      continue;
    }
    std::string text = left == 0 ? frame(*at) : std::string();
    bytes += text.size();
    if (left > 0 || bytes > Watch::kMaxBacklog) {
      ++left;
    } else {
      frames.push_front(std::move(text));
    }
  }
  return {std::move(frames), left};
}

}  // namespace

struct Watch::Shared {
  boost::asio::io_context& io;
  EventLog& log;
  std::chrono::milliseconds heartbeat;
  size_t watchers = 0;
};

// One reader. Its body's writer keeps it alive, by what it does when the connection is closed.
class Watch::Watcher : public std::enable_shared_from_this<Watcher> {
 public:
  Watcher(std::shared_ptr<Shared> shared, Wish wish)
      : shared_(std::move(shared)), wish_(std::move(wish)), timer_(shared_->io) {
    ++shared_->watchers;
  }
  ~Watcher() { --shared_->watchers; }

  void start(std::shared_ptr<BodyWriter> body) {
    body_ = std::move(body);
    body_->on_closed([self = shared_from_this()] { self->stop(); });
    say(fmt::format("retry: 2000\n: maglb {}\n\n", MAGLB_VERSION));
    if (wish_.after) {
      resume(*wish_.after);
    }
    subscription_ = shared_->log.subscribe([this](const Event& event) {
      if (wish_.kinds.test(static_cast<size_t>(event.kind))) {
        say(frame(event));
      }
    });
    beat();
  }

 private:
  void resume(uint64_t after) {
    const auto events = shared_->log.since(after);
    // A number that was never given is of another log, of which nothing is known here.
    const bool is_older_log = events.empty() && after > 0 && shared_->log.since(after - 1).empty();
    const uint64_t gone = !events.empty() ? events.front().number - after - 1 : 0;
    const auto [frames, left] = newest(is_older_log ? shared_->log.since(0) : events, wish_.kinds);
    if (gone > 0 || left > 0 || is_older_log) {
      say(fmt::format("event: lost\ndata: {{\"after\":{}}}\n\n", after));
    }
    for (const std::string& text : frames) {
      say(text);
    }
  }

  void say(std::string text) {
    if (body_ != nullptr && !body_->write(std::move(text))) {
      body_->end("event: overflow\ndata: {}\n\n");
      unsubscribe();
    }
  }

  void beat() {
    timer_.expires_after(shared_->heartbeat);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (!error && self && self->body_ != nullptr) {
        self->say(": still here\n\n");
        self->beat();
      }
    });
  }

  void unsubscribe() {
    if (subscription_) {
      shared_->log.unsubscribe(*std::exchange(subscription_, std::nullopt));
    }
  }

  void stop() {
    unsubscribe();
    timer_.cancel();
    body_.reset();
  }

  std::shared_ptr<Shared> shared_;
  Wish wish_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<BodyWriter> body_;
  std::optional<uint64_t> subscription_;
};

Watch::Watch(boost::asio::io_context& io, EventLog& log, std::chrono::milliseconds heartbeat)
    : shared_(std::make_shared<Shared>(Shared{io, log, heartbeat, 0})) {}
Watch::~Watch() = default;

ApiResponse Watch::open(const ApiRequest& request, const Target& target) {
  const auto wish = parse_wish(request, target);
  if (!wish) {
    return error_response(Refusal{wish.error(), {}});
  }
  if (shared_->watchers >= kMaxWatchers) {
    return error_response(503, "unavailable", fmt::format("{} watch already; try again", kMaxWatchers));
  }
  ApiResponse answer{200, "text/event-stream", ""};
  answer.stream = [watcher = std::make_shared<Watcher>(shared_, *wish)](std::shared_ptr<BodyWriter> body) {
    watcher->start(std::move(body));
  };
  return answer;
}

}  // namespace maglb
