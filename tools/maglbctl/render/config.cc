#include <fmt/format.h>

#include "tools/maglbctl/render/human.h"
#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {

Rendered render_check(std::string_view file, const Json& valid) {
  if (auto ok = expect_member(valid, "valid"); !ok) {
    return tl::unexpected(ok.error());
  }
  return fmt::format("{}: valid: {} services, {} pools, {} backends\n", escaped(file),
                     text(valid, "services"), text(valid, "pools"), text(valid, "backends"));
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
