// Points in time for people.
#pragma once

#include "tools/maglbctl/render/field.h"

namespace maglb::ctl {

// The member, seconds since 1970, as 2026-11-21T03:00:00Z; "-" when it is none.
std::string moment(const Json& object, std::string_view name);

}  // namespace maglb::ctl
