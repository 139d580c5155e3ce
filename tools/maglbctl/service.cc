#include "tools/maglbctl/command.h"
#include "tools/maglbctl/watch.h"

namespace maglb::ctl {

void add_service(CLI::App& root, Action& chosen) {
  CLI::App& noun = add_noun(root, "service", "Virtual addresses, protocols and ports that clients reach");

  CLI::App& list = add_verb(
      noun, "list",
      {.description = "All services and their traffic", .arguments = "", .examples = {"service list"}});
  watchable(list);
  list.callback([&chosen] {
    chosen = [](const Session& session) {
      return shown(session, session.client.get("/v1/services"), [&](const Json& answer) {
        return render_services(answer, session.colour, session.columns());
      });
    };
  });

  CLI::App& show = add_verb(
      noun, "show", {.description = "One service", .arguments = "NAME", .examples = {"service show web"}});
  auto name = std::make_shared<std::string>();
  show.add_option("NAME", *name)->required()->check(kName);
  watchable(show);
  show.callback([&chosen, name] {
    chosen = [name](const Session& session) {
      return shown(session, session.client.get("/v1/services/" + *name),
                   [&](const Json& answer) { return render_service(answer, session.colour); });
    };
  });
}

}  // namespace maglb::ctl
