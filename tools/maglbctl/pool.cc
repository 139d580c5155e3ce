#include "tools/maglbctl/command.h"
#include "tools/maglbctl/watch.h"

namespace maglb::ctl {

void add_pool(CLI::App& root, Action& chosen) {
  CLI::App& noun = add_noun(root, "pool", "Backends with a scheduler and a probe");

  CLI::App& list = add_verb(noun, "list",
                            {.description = "All pools: how many backends are up, and how they are probed",
                             .arguments = "",
                             .examples = {"pool list"}});
  watchable(list);
  list.callback([&chosen] {
    chosen = [](const Session& session) {
      return shown(session, session.client.get("/v1/pools"), [&](const Json& answer) {
        return render_pools(answer, session.colour, session.columns());
      });
    };
  });

  CLI::App& show = add_verb(
      noun, "show",
      {.description = "One pool and its backends", .arguments = "NAME", .examples = {"pool show web"}});
  auto name = std::make_shared<std::string>();
  show.add_option("NAME", *name)->required()->check(kName);
  watchable(show);
  show.callback([&chosen, name] {
    chosen = [name](const Session& session) {
      return shown(session, session.client.get("/v1/pools/" + *name), [&](const Json& answer) {
        return render_pool(answer, session.colour, session.columns());
      });
    };
  });
}

}  // namespace maglb::ctl
