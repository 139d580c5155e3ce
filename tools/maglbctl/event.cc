#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "tools/maglbctl/command.h"
#include "tools/maglbctl/query.h"
#include "tools/maglbctl/render/event_stream.h"
#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {
namespace {

constexpr std::chrono::milliseconds kAgain{500};

struct Wish {
  std::string pool;
  std::string kind;
  uint32_t limit = 100;
  bool follow = false;
};

std::string list_path(const Wish& wish) {
  return with_query("/v1/events",
                    {{"limit", std::to_string(wish.limit)}, {"pool", wish.pool}, {"kind", wish.kind}});
}

// One event a line, whatever the output: for programs each is an object (which is YAML too).
Rendered event_lines(const Session& session, const Json& answer) {
  const bool data = session.output == Output::kJson || session.output == Output::kYaml;
  return data ? render_event_objects(answer) : render_event_lines(answer, session.colour);
}

Outcome<void> print(const Session& session, const Json& answer) {
  const auto lines = event_lines(session, answer);
  if (!lines) {
    return failed(ExitCode::kFailed, lines.error().message);
  }
  fmt::print("{}", *lines);
  std::fflush(stdout);
  return {};
}

// Prints what comes after an event, and remembers the last one.
class Follower {
 public:
  Follower(const Session& session, const Wish& wish, uint64_t last)
      : session_(session), wish_(wish), last_(last) {}

  // Until the peer ends the stream. False, or what is wrong: nothing came.
  Outcome<bool> run() {
    bool any = false;
    EventStream events([this](const std::string& name, const std::string& data) { take(name, data); });
    const std::string path =
        with_query("/v1/watch", {{"after", std::to_string(last_)}, {"kinds", wish_.kind}});
    const auto ended = session_.client.stream(path, [&](std::string_view piece) {
      any = true;
      return events.feed(piece);
    });
    if (!ended && !any) {
      return tl::unexpected(ended.error());
    }
    return any;
  }

 private:
  void take(const std::string& name, const std::string& data) {
    const Json event = parse_object(data);
    if (name == "lost") {
      fmt::print(stderr, "some events are missing here: they are not kept any more\n");
    } else if (const auto number = whole_number(event, "number")) {
      last_ = *number;
      const bool wanted = wish_.pool.empty() || text(event, "pool") == wish_.pool;
      // A list of one is always well.
      (void)(wanted ? print(session_, Json{{"events", Json::array({event})}}) : Outcome<void>());
    }
  }

  const Session& session_;
  const Wish& wish_;
  uint64_t last_;
};

// Prints as they come, until it is interrupted or the control plane is gone: a stream that ended is begun
// again behind its last event, which fails where nobody listens any more.
Outcome<std::string> follow(const Session& session, const Wish& wish) {
  const auto newest = session.client.get(list_path(wish));
  if (!newest) {
    return tl::unexpected(newest.error());
  }
  if (const auto printed = print(session, *newest); !printed) {
    return tl::unexpected(printed.error());
  }
  Follower follower(session, wish, whole_number(*newest, "last").value_or(0));
  while (true) {
    const auto some = follower.run();
    if (!some) {
      return tl::unexpected(some.error());
    }
    std::this_thread::sleep_for(kAgain);
  }
}

}  // namespace

void add_event(CLI::App& root, Action& chosen) {
  CLI::App& noun = add_noun(root, "event", "What happened: health, drains, changes, publishes");
  CLI::App& verb =
      add_verb(noun, "list",
               {.description = "The newest events, the oldest of them first",
                .arguments = "",
                .examples = {"event list", "event list --follow --pool web", "event list --kind health"}});
  auto wish = std::make_shared<Wish>();
  verb.add_option("--pool", wish->pool, "Only of this pool")->check(kName)->option_text("NAME");
  verb.add_option("--kind", wish->kind, "Only of this kind, such as health, config or publish")
      ->check(CLI::IsMember({"health", "drain", "ramp", "panic", "fallback", "hold", "members", "config",
                             "publish", "dataplane"}))
      ->option_text("KIND");
  verb.add_option("--limit", wish->limit, "How many at most [100]")
      ->check(CLI::Range(1, 10000))
      ->option_text("N");
  verb.add_flag("--follow", wish->follow, "Go on with those that come");
  verb.callback([&chosen, wish] {
    chosen = [wish](const Session& session) {
      return wish->follow ? follow(session, *wish)
                          : shown(session, session.client.get(list_path(*wish)), [&](const Json& answer) {
                              return render_event_lines(answer, session.colour);
                            });
    };
  });
}

}  // namespace maglb::ctl
