#include <fmt/format.h>

#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {
namespace {

std::string full_name(const Json& backend) {
  return fmt::format("{}/{}", text(backend, "pool"), text(backend, "name"));
}

// What the workers do with it and, where that is not what was asked for, why.
std::string effect_line(const Json& backend) {
  const std::string effective = text(backend, "effective");
  if (effective == text(backend, "state") || effective == "-") {
    return {};
  }
  const std::string reason = text(backend, "reason");
  return reason == "-" ? fmt::format("; it is {}", effective)
                       : fmt::format("; it is {}: {}", effective, reason);
}

}  // namespace

Rendered render_backends(const Json& answer, bool colour, Columns columns) {
  const auto backends = objects(answer, "backends");
  if (!backends) {
    return tl::unexpected(backends.error());
  }
  Table table({{"BACKEND"},
               {"ADDRESS"},
               {"WEIGHT", Align::kRight},
               {"STATE"},
               {"HEALTH"},
               {"EFFECTIVE"},
               {"SINCE", Align::kRight},
               {"SHARE", Align::kRight},
               {"PACKETS", Align::kRight},
               {"BYTES", Align::kRight},
               {"NEW FLOWS", Align::kRight},
               {"REASON"}});
  const bool wide = columns == Columns::kWide;
  if (wide) {
    table.widen({"NEXT HOP"});
    table.widen({"SLOTS", Align::kRight});
    table.widen({"REFUSED", Align::kRight});
    table.widen({"REPEATED", Align::kRight});
    table.widen({"LAPSED", Align::kRight});
  }
  for (const Json* backend : *backends) {
    std::vector<Cell> row = {
        full_name(*backend),         text(*backend, "address"),      text(*backend, "weight"),
        text(*backend, "state"),     state_cell(*backend, "health"), state_cell(*backend, "effective"),
        duration(*backend, "since"), share(*backend, "share"),       count(*backend, "packets"),
        bytes(*backend, "bytes"),    count(*backend, "new_flows"),   text(*backend, "reason")};
    if (wide) {
      const Json& signals = member(*backend, "signals");
      row.insert(row.end(), {text(*backend, "next_hop"), text(*backend, "slots"), count(signals, "refused"),
                             count(signals, "repeated"), count(signals, "lapsed")});
    }
    table.add(std::move(row));
  }
  return table.to_string(colour);
}

Rendered render_backend(const Json& backend, bool colour) {
  if (auto ok = expect_member(backend, "name"); !ok) {
    return tl::unexpected(ok.error());
  }
  Facts facts;
  facts.add("backend", full_name(backend));
  facts.add("address", text(backend, "address"));
  facts.add("weight", text(backend, "weight"));
  facts.add("state", text(backend, "state"));
  facts.add("health", state_cell(backend, "health"));
  facts.add("reason", text(backend, "reason"));
  facts.add("since", duration(backend, "since"));
  facts.add("effective", state_cell(backend, "effective"));
  facts.add("slots", text(backend, "slots"));
  facts.add("share", share(backend, "share"));
  facts.add("next hop", text(backend, "next_hop"));
  facts.add("packets", count(backend, "packets"));
  facts.add("bytes", bytes(backend, "bytes"));
  facts.add("new flows", count(backend, "new_flows"));
  if (const Json& signals = member(backend, "signals"); !signals.is_null()) {
    facts.add("refused", count(signals, "refused"));
    facts.add("repeated", count(signals, "repeated"));
    facts.add("lapsed", count(signals, "lapsed"));
  }
  return facts.to_string(colour);
}

Rendered render_backend_change(const Json& before, const Json& after, std::string_view field) {
  if (auto ok = expect_member(after, field); !ok) {
    return tl::unexpected(ok.error());
  }
  const std::string was = text(before, field);
  const std::string is = text(after, field);
  if (was == is) {
    return fmt::format("{}: {} is {} as before{}\n", full_name(after), field, is, effect_line(after));
  }
  return fmt::format("{}: {} {} -> {}{}\n", full_name(after), field, was, is, effect_line(after));
}

Rendered render_backend_added(const Json& backend) {
  if (auto ok = expect_member(backend, "name"); !ok) {
    return tl::unexpected(ok.error());
  }
  return fmt::format("{}: added, address {}, weight {}, state {}{}\n", full_name(backend),
                     text(backend, "address"), text(backend, "weight"), text(backend, "state"),
                     effect_line(backend));
}

}  // namespace maglb::ctl
