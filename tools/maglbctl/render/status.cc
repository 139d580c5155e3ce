#include <fmt/chrono.h>
#include <fmt/format.h>

#include "tools/maglbctl/render/human.h"
#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {
namespace {

Cell dataplane_cell(const Json& dataplane) {
  const std::string error = text(dataplane, "error");
  if (!is_true(dataplane, "connected")) {
    return {error == "-" ? "not connected" : fmt::format("not connected: {}", error), Tone::kBad};
  }
  std::string line = fmt::format("connected, {}, {} workers, up {}", text(dataplane, "version"),
                                 text(dataplane, "workers"), duration(dataplane, "uptime_seconds"));
  if (error != "-") {
    return {fmt::format("{}; {}", line, error), Tone::kBad};
  }
  return {std::move(line), Tone::kGood};
}

Cell generation_cell(const Json& status, const Json& dataplane) {
  const std::string wanted = text(status, "generation");
  const std::string running = text(dataplane, "generation");
  if (running == "-") {
    return {wanted};
  }
  if (running == wanted) {
    return {fmt::format("{}, which the dataplane runs", wanted)};
  }
  return {fmt::format("{}; the dataplane runs {}", wanted, running), Tone::kWarning};
}

// Seconds since 1970, or text as it comes.
std::string applied_at(const Json& config) {
  constexpr double kYear9999 = 253402300799.0;
  const auto seconds = number(config, "applied_at");
  if (!seconds || *seconds < 0 || *seconds > kYear9999) {
    return text(config, "applied_at");
  }
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(*seconds)));
}

std::string config_line(const Json& config) {
  const std::string source = text(config, "source");
  const std::string from = source == "runtime" ? "with changes made at run time"
                           : source == "file"  ? "as the file says"
                                               : source;
  return fmt::format("{}, {}, applied {}", text(config, "file"), from, applied_at(config));
}

Cell backends_cell(const Json& backends) {
  const auto up = whole_number(backends, "up");
  const auto total = whole_number(backends, "total");
  const Tone tone = !up || !total   ? Tone::kPlain
                    : *up == *total ? Tone::kGood
                    : *up == 0      ? Tone::kBad
                                    : Tone::kWarning;
  return {
      fmt::format("{}: {} up, {} unhealthy, {} drain, {} down", text(backends, "total"), text(backends, "up"),
                  text(backends, "unhealthy"), text(backends, "drain"), text(backends, "down")),
      tone};
}

}  // namespace

Rendered render_status(const Json& status, bool colour) {
  if (auto ok = expect_member(status, "ready"); !ok) {
    return tl::unexpected(ok.error());
  }
  const Json& dataplane = member(status, "dataplane");
  const bool ready = is_true(status, "ready");
  Facts facts;
  facts.add("ready", Cell(ready ? "yes" : "no", ready ? Tone::kGood : Tone::kBad));
  facts.add("control plane",
            fmt::format("version {}, up {}", text(status, "version"), duration(status, "uptime_seconds")));
  facts.add("dataplane", dataplane_cell(dataplane));
  facts.add("generation", generation_cell(status, dataplane));
  facts.add("configuration", config_line(member(status, "config")));
  facts.add("services", text(status, "services"));
  facts.add("pools", text(status, "pools"));
  facts.add("backends", backends_cell(member(status, "backends")));
  const Json& warnings = member(status, "warnings");
  if (warnings.is_array()) {
    for (const Json& warning : warnings) {
      if (warning.is_string()) {
        facts.add("warning", Cell(escaped(warning.get_ref<const std::string&>()), Tone::kWarning));
      }
    }
  }
  return facts.to_string(colour);
}

}  // namespace maglb::ctl
