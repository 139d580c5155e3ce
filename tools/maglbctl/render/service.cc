#include <fmt/format.h>

#include "tools/maglbctl/render/options.h"
#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {
namespace {

// In the words of maglb.yaml: off is a service of which no flow is tracked.
std::string flow_word(const Json& service) {
  const Json& flow = member(service, "flow");
  return flow.is_boolean() ? (flow.get<bool>() ? "on" : "off") : text(service, "flow");
}

// What has a line or a word of its own.
constexpr std::string_view kShown[] = {"name", "address", "protocol", "port",
                                       "pool", "forward", "flow",     "on_failure"};

}  // namespace

Rendered render_services(const Json& answer, bool colour, Columns columns) {
  const auto services = objects(answer, "services");
  if (!services) {
    return tl::unexpected(services.error());
  }
  Table table({{"SERVICE"},
               {"ADDRESS"},
               {"PROTOCOL"},
               {"PORT", Align::kRight},
               {"POOL"},
               {"FORWARD"},
               {"UP", Align::kRight},
               {"PACKETS", Align::kRight},
               {"BYTES", Align::kRight},
               {"NEW FLOWS", Align::kRight}});
  const bool wide = columns == Columns::kWide;
  if (wide) {
    table.widen({"FLOW"});
    table.widen({"ON FAILURE"});
  }
  for (const Json* service : *services) {
    std::vector<Cell> row = {text(*service, "name"),
                             text(*service, "address"),
                             text(*service, "protocol"),
                             text(*service, "port"),
                             text(*service, "pool"),
                             text(*service, "forward"),
                             up_of_total(*service, "backends"),
                             count(*service, "packets"),
                             bytes(*service, "bytes"),
                             count(*service, "new_flows")};
    if (wide) {
      row.insert(row.end(), {flow_word(*service), text(*service, "on_failure")});
    }
    table.add(std::move(row));
  }
  return table.to_string(colour);
}

Rendered render_service(const Json& service, bool colour) {
  if (auto ok = expect_member(service, "name"); !ok) {
    return tl::unexpected(ok.error());
  }
  Facts facts;
  facts.add("service", text(service, "name"));
  facts.add("address", text(service, "address"));
  facts.add("protocol", text(service, "protocol"));
  facts.add("port", text(service, "port"));
  facts.add("pool", text(service, "pool"));
  facts.add("backends up", up_of_total(service, "backends"));
  facts.add("forward", text(service, "forward"));
  facts.add("flow", flow_word(service));
  facts.add("on failure", text(service, "on_failure"));
  add_options(facts, service, kShown);
  facts.add("packets", count(service, "packets"));
  facts.add("bytes", bytes(service, "bytes"));
  facts.add("new flows", count(service, "new_flows"));
  return facts.to_string(colour);
}

}  // namespace maglb::ctl
