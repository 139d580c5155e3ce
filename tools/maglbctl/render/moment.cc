#include "tools/maglbctl/render/moment.h"

#include <fmt/chrono.h>

#include <ctime>

namespace maglb::ctl {

std::string moment(const Json& object, std::string_view name) {
  const auto seconds = number(object, name);
  if (!seconds || *seconds < 0 || *seconds > 253402300799.0) {
    return "-";
  }
  return fmt::format("{:%FT%TZ}", fmt::gmtime(static_cast<std::time_t>(*seconds)));
}

}  // namespace maglb::ctl
