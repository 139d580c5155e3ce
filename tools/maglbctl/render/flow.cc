#include <fmt/format.h>

#include "tools/maglbctl/render/human.h"
#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {
namespace {

std::string endpoint(std::string_view address, std::string_view port) {
  const bool ipv6 = address.find(':') != std::string_view::npos;
  return ipv6 ? fmt::format("[{}]:{}", escaped(address), escaped(port))
              : fmt::format("{}:{}", escaped(address), escaped(port));
}

// "slot 4711 of pool web's table names web2".
std::string table_line(const Json& lookup) {
  const std::string backend = text(lookup, "table_backend");
  return fmt::format("slot {} of pool {}'s table names {}", text(lookup, "slot"), text(lookup, "pool"),
                     backend == "-" ? "no backend" : backend);
}

std::string reason_of(const Json& lookup) {
  const Json& flow = member(lookup, "flow");
  if (!is_true(flow, "found")) {
    return fmt::format("no worker tracks this flow, so the table decides: {}", table_line(lookup));
  }
  const std::string tracked = fmt::format("worker {} tracks this flow ({}, idle {})", text(flow, "worker"),
                                          text(flow, "state"), duration(flow, "idle_seconds"));
  const std::string kept = text(flow, "backend");
  if (kept == "-") {
    return fmt::format("{}, but its backend is gone, so the table decides: {}", tracked, table_line(lookup));
  }
  if (kept != text(lookup, "backend")) {
    return fmt::format("{} on {}, which takes no packets now, so the table decides: {}", tracked, kept,
                       table_line(lookup));
  }
  return fmt::format("{} and keeps it on {}; {}", tracked, kept, table_line(lookup));
}

}  // namespace

Rendered render_flow_lookup(const LookupQuery& query, const Json& lookup, bool colour) {
  for (const char* name : {"service", "backend"}) {
    if (auto ok = expect_member(lookup, name); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  const std::string pool = text(lookup, "pool");
  const std::string backend = text(lookup, "backend");
  Facts facts;
  facts.add("packet",
            fmt::format("{} {} -> {}", escaped(query.protocol), endpoint(query.source, query.source_port),
                        endpoint(query.destination, query.destination_port)));
  facts.add("service", fmt::format("{}, which uses pool {}", text(lookup, "service"), pool));
  facts.add("goes to", backend == "-" ? Cell("nowhere: it is dropped", Tone::kBad)
                                      : Cell(fmt::format("{}/{}", pool, backend), Tone::kGood));
  facts.add("because", reason_of(lookup));
  return facts.to_string(colour);
}

Rendered render_flow_summary(const Json& summary, bool colour, Columns columns) {
  const auto backends = objects(summary, "backends");
  if (!backends) {
    return tl::unexpected(backends.error());
  }
  const Json& states = member(summary, "states");
  Facts facts;
  const auto flows = number(summary, "flows");
  const auto capacity = number(summary, "capacity");
  facts.add("flows", flows && capacity && *capacity > 0
                         ? fmt::format("{} of {} ({})", count(summary, "flows"), count(summary, "capacity"),
                                       human_share(*flows / *capacity))
                         : fmt::format("{} of {}", count(summary, "flows"), count(summary, "capacity")));
  for (const char* state : {"opening", "established", "closing", "udp"}) {
    facts.add(state, count(states, state));
  }
  std::string out = facts.to_string(colour);
  Table table({{"BACKEND"}, {"FLOWS", Align::kRight}});
  const bool wide = columns == Columns::kWide;
  if (wide) {
    table.widen({"OF ALL", Align::kRight});
  }
  for (const Json* backend : *backends) {
    std::vector<Cell> row = {fmt::format("{}/{}", text(*backend, "pool"), text(*backend, "backend")),
                             count(*backend, "flows")};
    if (wide) {
      const auto own = number(*backend, "flows");
      row.push_back(own && flows && *flows > 0 ? human_share(*own / *flows) : "-");
    }
    table.add(std::move(row));
  }
  return table.empty() ? out : out + "\n" + table.to_string(colour);
}

}  // namespace maglb::ctl
