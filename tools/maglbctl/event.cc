#include <fmt/format.h>

#include <thread>

#include "tools/maglbctl/history.h"
#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {
namespace {

struct Wish {
  std::string pool;
  std::string kind;
  uint32_t limit = 100;
  bool follow = false;
};

std::string filter_of(const Wish& wish) {
  return fmt::format("limit={}{}{}{}{}", wish.limit,
                     wish.pool.empty() ? "" : "&pool=", url_escaped(wish.pool),
                     wish.kind.empty() ? "" : "&kind=", url_escaped(wish.kind));
}

// Prints as they come, until it is interrupted or the control plane is gone.
Outcome<std::string> follow(const Session& session, const Wish& wish) {
  std::string path = "/v1/events?" + filter_of(wish);
  while (true) {
    const auto answer = session.client.get(path);
    if (!answer) {
      return tl::unexpected(answer.error());
    }
    const auto lines =
        session.json ? render_event_objects(*answer) : render_event_lines(*answer, session.colour);
    if (!lines) {
      return failed(ExitCode::kFailed, lines.error().message);
    }
    fmt::print("{}", *lines);
    std::fflush(stdout);
    const auto events = objects(*answer, "events");
    const bool full = events && events->size() >= wish.limit;
    // A full page may have more behind it; a short one is all there is up to `last`.
    const auto last = full ? whole_number(*events->back(), "number") : whole_number(*answer, "last");
    path = fmt::format("/v1/events?after={}&{}", last.value_or(0), filter_of(wish));
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
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
      ->option_text("KIND");
  verb.add_option("--limit", wish->limit, "How many at most [100]")
      ->check(CLI::Range(1, 10000))
      ->option_text("N");
  verb.add_flag("--follow", wish->follow, "Go on with those that come");
  verb.callback([&chosen, wish] {
    chosen = [wish](const Session& session) {
      return wish->follow
                 ? follow(session, *wish)
                 : shown(session, session.client.get("/v1/events?" + filter_of(*wish)),
                         [&](const Json& answer) { return render_event_lines(answer, session.colour); });
    };
  });
}

}  // namespace maglb::ctl
