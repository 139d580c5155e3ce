// The options of a service or a pool that are not their defaults: a line each, under their keys in the file.
#pragma once

#include <span>
#include <string_view>

#include "tools/maglbctl/render/field.h"

namespace maglb::ctl {

// Of `object`'s "options", which a daemon of another version may not have. Those that are in `shown` stand
// elsewhere.
void add_options(Facts& facts, const Json& object, std::span<const std::string_view> shown);

}  // namespace maglb::ctl
