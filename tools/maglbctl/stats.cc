#include "tools/maglbctl/command.h"
#include "tools/maglbctl/watch.h"

namespace maglb::ctl {
namespace {

// A wide answer has every section.
StatsSections wanted(const Session& session, StatsSections asked_for) {
  const bool wide = session.output == Output::kWide;
  return {asked_for.workers || wide, asked_for.ports || wide};
}

}  // namespace

void add_stats(CLI::App& root, Action& chosen) {
  CLI::App& stats = add_verb(
      root, "stats",
      {.description = "Packet counters: where every received packet went, and why packets were dropped",
       .arguments = "",
       .examples = {"stats", "stats --workers --ports", "stats -o json"}});
  auto sections = std::make_shared<StatsSections>();
  stats.add_flag("--workers", sections->workers, "The counters of each worker too");
  stats.add_flag("--ports", sections->ports, "The counters of each port too");
  watchable(stats);
  stats.callback([&chosen, sections] {
    chosen = [sections](const Session& session) {
      return shown(session, session.client.get("/v1/stats"), [&](const Json& answer) {
        return render_stats(answer, wanted(session, *sections), session.colour);
      });
    };
  });
}

}  // namespace maglb::ctl
