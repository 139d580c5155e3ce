#include <fmt/format.h>

#include "tools/maglbctl/render/human.h"
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
  if (changed.is_boolean() && !changed.get<bool>()) {
    return fmt::format("{}: nothing changed, generation {} runs\n", escaped(what), generation);
  }
  return fmt::format("{}: applied, generation {} runs\n", escaped(what), generation);
}

}  // namespace maglb::ctl
