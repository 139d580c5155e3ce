#include "tools/maglbctl/command.h"
#include "tools/maglbctl/watch.h"

namespace maglb::ctl {

void add_status(CLI::App& root, Action& chosen) {
  CLI::App& status =
      add_verb(root, "status",
               {.description = "Is everything well: daemons, configuration, backends, warnings",
                .arguments = "",
                .examples = {"status", "status -o json", "status --watch"}});
  watchable(status);
  status.callback([&chosen] {
    chosen = [](const Session& session) {
      return shown(session, session.client.get("/v1/status"),
                   [&](const Json& answer) { return render_status(answer, session.colour); });
    };
  });
}

}  // namespace maglb::ctl
