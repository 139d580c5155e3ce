#include "tools/maglbctl/render/options.h"

#include <algorithm>

#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {

void add_options(Facts& facts, const Json& object, std::span<const std::string_view> shown) {
  const Json& options = member(object, "options");
  if (!options.is_object()) {
    return;
  }
  for (const auto& [key, value] : options.items()) {
    if (std::find(shown.begin(), shown.end(), key) == shown.end()) {
      facts.add(escaped(key), text(options, key));
    }
  }
}

}  // namespace maglb::ctl
