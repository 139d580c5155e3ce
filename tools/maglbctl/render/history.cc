#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

#include "tools/maglbctl/render/human.h"
#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {
namespace {

// Seconds since 1970 as 2026-11-21T03:00:00Z.
std::string moment(const Json& object, std::string_view name) {
  const auto seconds = number(object, name);
  if (!seconds || *seconds < 0 || *seconds > 253402300799.0) {
    return "-";
  }
  return fmt::format("{:%FT%TZ}", fmt::gmtime(static_cast<std::time_t>(*seconds)));
}

std::string person(const Json& revision) {
  const Json& who = member(revision, "who");
  const std::string program = text(who, "program");
  return program.empty() || program == "-" ? text(who, "user")
                                           : fmt::format("{} ({})", text(who, "user"), program);
}

Tone tone_of(std::string_view line) {
  return line.starts_with('+') ? Tone::kGood : line.starts_with('-') ? Tone::kBad : Tone::kPlain;
}

std::string coloured(std::string_view diff, bool colour) {
  std::string out;
  while (!diff.empty()) {
    const std::size_t end = std::min(diff.find('\n'), diff.size());
    const std::string_view line = diff.substr(0, end);
    out += painted(escaped(line), tone_of(line), colour) + "\n";
    diff.remove_prefix(std::min(end + 1, diff.size()));
  }
  return out;
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

Rendered render_diff(const Json& answer, bool colour) {
  const Json& diff = member(answer, "diff");
  if (!diff.is_string()) {
    return tl::unexpected(Error{ErrorKind::kInvalid, "the answer has no diff"});
  }
  std::string out = fmt::format("--- {}\n+++ {}\n", text(answer, "from"), text(answer, "to"));
  const std::string& lines = diff.get_ref<const std::string&>();
  return lines.empty() ? out + "(alike)\n" : out + coloured(lines, colour);
}

Rendered render_preview(const Json& answer, bool colour) {
  const auto pools = objects(answer, "pools");
  if (!pools) {
    return tl::unexpected(pools.error());
  }
  return render_diff(answer, colour).map([&](std::string out) {
    for (const Json* pool : *pools) {
      out += fmt::format("pool {}: {}, {} of its slots move\n", text(*pool, "pool"), text(*pool, "change"),
                         share(*pool, "moved"));
    }
    return out;
  });
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
    out += fmt::format("{}  {:<9}  {}\n", moment(*event, "at"), text(*event, "kind"),
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
