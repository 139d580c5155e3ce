#include <fmt/format.h>

#include <optional>

#include "lib/config/service/diff.h"
#include "tools/maglbctl/render/human.h"
#include "tools/maglbctl/render/moment.h"
#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {
namespace {

std::string person(const Json& revision) {
  const Json& who = member(revision, "who");
  const std::string program = text(who, "program");
  return program.empty() || program == "-" ? text(who, "user")
                                           : fmt::format("{} ({})", text(who, "user"), program);
}

std::optional<std::string> value(const Json& object, std::string_view name) {
  const Json& found = member(object, name);
  return found.is_string() ? std::optional(found.get<std::string>()) : std::nullopt;
}

// "+ services.dns: ...", in the tone of its sign.
std::string change_line(const Json& object, bool colour) {
  const ConfigChange change{value(object, "path").value_or("-"), value(object, "before"),
                            value(object, "after")};
  const Tone tone = !change.before ? Tone::kGood : !change.after ? Tone::kBad : Tone::kPlain;
  return painted(escaped(describe(change)), tone, colour) + "\n";
}

std::string churn_line(const Json& pool) {
  return fmt::format("pool {}: {} of its slots move ({} of {})\n", text(pool, "pool"), share(pool, "share"),
                     exact(pool, "moved"), exact(pool, "slots"));
}

}  // namespace

Rendered render_revisions(const Json& answer, bool colour) {
  const auto revisions = objects(answer, "revisions");
  if (!revisions) {
    return tl::unexpected(revisions.error());
  }
  Table table({{"REVISION", Align::kRight}, {""}, {"WHEN"}, {"WHO"}, {"SOURCE"}, {"WHY"}});
  for (const Json* revision : *revisions) {
    const bool unconfirmed = number(*revision, "confirm_by").has_value();
    table.add({text(*revision, "revision"),
               unconfirmed                     ? Cell("unconfirmed", Tone::kWarning)
               : is_true(*revision, "running") ? "runs"
                                               : "",
               moment(*revision, "at"), person(*revision), text(*revision, "source"),
               text(*revision, "why")});
  }
  return table.to_string(colour);
}

Rendered render_changes(const Json& answer, bool colour) {
  const auto changes = objects(answer, "changes");
  const auto pools = objects(answer, "pools");
  if (!changes || !pools) {
    return tl::unexpected(changes ? pools.error() : changes.error());
  }
  std::string out = fmt::format("from {} to {}:{}\n", text(answer, "from"), text(answer, "to"),
                                changes->empty() ? " alike" : "");
  for (const Json* change : *changes) {
    out += change_line(*change, colour);
  }
  for (const Json* pool : *pools) {
    out += churn_line(*pool);
  }
  return out;
}

Rendered render_event_lines(const Json& answer, bool colour) {
  const auto events = objects(answer, "events");
  if (!events) {
    return tl::unexpected(events.error());
  }
  std::string out;
  for (const Json* event : *events) {
    const std::string pool = text(*event, "pool");
    const std::string backend = text(*event, "backend");
    const std::string about =
        pool == "-" ? ""
                    : fmt::format("{}{}{}: ", pool, backend == "-" ? "" : "/", backend == "-" ? "" : backend);
    const bool bad = text(*event, "text").starts_with("unhealthy");
    out += fmt::format("{}  {:<9}  {}\n", moment(*event, "time"), text(*event, "kind"),
                       painted(about + text(*event, "text"), bad ? Tone::kBad : Tone::kPlain, colour));
  }
  return out;
}

Rendered render_event_objects(const Json& answer) {
  const auto events = objects(answer, "events");
  if (!events) {
    return tl::unexpected(events.error());
  }
  std::string out;
  for (const Json* event : *events) {
    out += event->dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
  }
  return out;
}

}  // namespace maglb::ctl
