#include <fmt/format.h>

#include "tools/maglbctl/render/options.h"
#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {
namespace {

// "http :80/healthz every 1s": what the probe of a pool does.
std::string probe_line(const Json& health) {
  const std::string type = text(health, "type");
  if (type == "-" || type == "none") {
    return type;
  }
  const auto port = whole_number(health, "port");
  std::string line = fmt::format("{} {}", type, port && *port != 0 ? fmt::format(":{}", *port) : "");
  if (member(health, "path").is_string()) {
    line += text(health, "path");
  }
  return fmt::format("{} every {}", line.ends_with(' ') ? type : line, duration(health, "interval_seconds"));
}

// What has a line or a word of its own.
constexpr std::string_view kShown[] = {"scheduler",      "table_size",  "health.type",
                                       "health.port",    "health.path", "health.interval",
                                       "health.timeout", "health.rise", "health.fall"};

Cell table_cell(const Json& pool) {
  if (is_true(pool, "stale")) {
    return {"stale", Tone::kBad};
  }
  return {"current"};
}

}  // namespace

Rendered render_pools(const Json& answer, bool colour, Columns columns) {
  const auto pools = objects(answer, "pools");
  if (!pools) {
    return tl::unexpected(pools.error());
  }
  Table table({{"POOL"},
               {"SCHEDULER"},
               {"SLOTS", Align::kRight},
               {"UP", Align::kRight},
               {"TABLE"},
               {"PROBE"},
               {"SERVICES"}});
  const bool wide = columns == Columns::kWide;
  if (wide) {
    table.widen({"TIMEOUT", Align::kRight});
    table.widen({"RISE", Align::kRight});
    table.widen({"FALL", Align::kRight});
  }
  for (const Json* pool : *pools) {
    const Json& health = member(*pool, "health");
    std::vector<Cell> row = {text(*pool, "name"),       text(*pool, "scheduler"),
                             text(*pool, "table_size"), up_of_total(*pool, "backends"),
                             table_cell(*pool),         probe_line(health),
                             joined(*pool, "services")};
    if (wide) {
      row.insert(row.end(),
                 {duration(health, "timeout_seconds"), text(health, "rise"), text(health, "fall")});
    }
    table.add(std::move(row));
  }
  return table.to_string(colour);
}

Rendered render_pool(const Json& pool, bool colour, Columns columns) {
  if (auto ok = expect_member(pool, "name"); !ok) {
    return tl::unexpected(ok.error());
  }
  const Json& health = member(pool, "health");
  Facts facts;
  facts.add("pool", text(pool, "name"));
  facts.add("scheduler", text(pool, "scheduler"));
  facts.add("slots", text(pool, "table_size"));
  facts.add("services", joined(pool, "services"));
  facts.add("backends up", up_of_total(pool, "backends"));
  facts.add("probe", probe_line(health));
  if (const std::string type = text(health, "type"); type != "none" && type != "-") {
    facts.add("probe rules",
              fmt::format("timeout {}, healthy after {} successes, unhealthy after {} failures",
                          duration(health, "timeout_seconds"), text(health, "rise"), text(health, "fall")));
  }
  add_options(facts, pool, kShown);
  if (is_true(pool, "stale")) {
    facts.add("table", Cell("stale: every backend fails its probe, so the last table stays", Tone::kBad));
  }
  const auto backends = render_backends(pool, colour, columns);
  if (!backends) {
    return backends;
  }
  return facts.to_string(colour) + "\n" + *backends;
}

}  // namespace maglb::ctl
