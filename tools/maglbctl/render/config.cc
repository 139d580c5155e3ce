#include <fmt/format.h>

#include "tools/maglbctl/render/human.h"
#include "tools/maglbctl/render/moment.h"
#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {
namespace {

// "1 pool", "2 pools".
std::string counted(const Json& object, const char* name, std::string_view one) {
  const std::string number = text(object, name);
  return fmt::format("{} {}{}", number, one, number == "1" ? "" : "s");
}

}  // namespace

Rendered render_check(std::string_view file, const Json& valid) {
  if (auto ok = expect_member(valid, "valid"); !ok) {
    return tl::unexpected(ok.error());
  }
  return fmt::format("{}: valid: {}, {}, {}\n", escaped(file), counted(valid, "services", "service"),
                     counted(valid, "pools", "pool"), counted(valid, "backends", "backend"));
}

Rendered render_applied(std::string_view what, const Json& applied) {
  if (auto ok = expect_member(applied, "generation"); !ok) {
    return tl::unexpected(ok.error());
  }
  const std::string generation = text(applied, "generation");
  const Json& changed = member(applied, "changed");
  const bool nothing_new = changed.is_boolean() && !changed.get<bool>();
  const Json& warning = member(applied, "warning");
  std::string out =
      fmt::format("{}: {}, generation {} {}\n", escaped(what), nothing_new ? "nothing changed" : "applied",
                  generation, warning.is_string() ? "does not run yet: " + text(applied, "warning") : "runs");
  if (member(applied, "confirm_by").is_number()) {
    out += fmt::format("It goes back by itself at {} unless you keep it: maglbctl config confirm\n",
                       moment(applied, "confirm_by"));
  }
  return out;
}

}  // namespace maglb::ctl
