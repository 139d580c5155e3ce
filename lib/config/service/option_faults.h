// Which options of a service cannot work together, and why. What is refused here would otherwise be
// accepted and lose traffic, or do nothing.
//
// The pool that the service uses is not looked at.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/config/service/marks.h"
#include "lib/config/service/model.h"

namespace maglb {

struct OptionFault {
  yaml::Mark mark;
  std::string_view key;
  std::string why;
};

std::vector<OptionFault> option_faults(const ServiceEntry& service, const ServiceMarks& marks);

}  // namespace maglb
