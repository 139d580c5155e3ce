#include <fmt/format.h>

#include "tools/maglbctl/command.h"
#include "tools/maglbctl/watch.h"

namespace maglb::ctl {
namespace {

void add_lookup(CLI::App& noun, Action& chosen) {
  CLI::App& lookup = add_verb(noun, "lookup",
                              {.description = "Where the next packet of a flow goes, and why",
                               .arguments = "PROTOCOL SOURCE SOURCE_PORT DESTINATION DESTINATION_PORT",
                               .examples = {"flow lookup tcp 192.0.2.11 40000 198.51.100.1 80",
                                            "flow lookup tcp 2001:db8::11 40000 2001:db8:1::1 80",
                                            "flow lookup udp 192.0.2.11 5353 198.51.100.2 53 -o json"}});
  auto query = std::make_shared<LookupQuery>();
  const CLI::Range port(0, 65535, "a port");
  lookup.add_option("PROTOCOL", query->protocol)->required()->check(CLI::IsMember({"tcp", "udp"}));
  lookup.add_option("SOURCE", query->source)->required()->check(kAddress);
  lookup.add_option("SOURCE_PORT", query->source_port)->required()->check(port);
  lookup.add_option("DESTINATION", query->destination)->required()->check(kAddress);
  lookup.add_option("DESTINATION_PORT", query->destination_port)->required()->check(port);
  watchable(lookup);
  lookup.callback([&chosen, query] {
    chosen = [query](const Session& session) {
      // Addresses and ports were checked: nothing in them needs escaping in a URL.
      const std::string path = fmt::format(
          "/v1/flows/lookup?protocol={}&source={}&source_port={}&destination={}&destination_port={}",
          query->protocol, query->source, query->source_port, query->destination, query->destination_port);
      return shown(session, session.client.get(path),
                   [&](const Json& answer) { return render_flow_lookup(*query, answer, session.colour); });
    };
  });
}

}  // namespace

void add_flow(CLI::App& root, Action& chosen) {
  CLI::App& noun = add_noun(root, "flow", "Tracked connections");
  add_lookup(noun, chosen);
  CLI::App& summary = add_verb(noun, "summary",
                               {.description = "How many flows are tracked, by state and by backend",
                                .arguments = "",
                                .examples = {"flow summary"}});
  watchable(summary);
  summary.callback([&chosen] {
    chosen = [](const Session& session) {
      return shown(session, session.client.get("/v1/flows/summary"), [&](const Json& answer) {
        return render_flow_summary(answer, session.colour, session.columns());
      });
    };
  });
}

}  // namespace maglb::ctl
