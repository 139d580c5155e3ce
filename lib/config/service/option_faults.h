// Which options of a service cannot work together, and why. What is refused here would otherwise be
// accepted and lose traffic, or do nothing.
//
// The pool that the service uses is not looked at.
#pragma once

#include <vector>

#include "lib/config/service/fault.h"
#include "lib/config/service/marks.h"
#include "lib/config/service/model.h"

namespace maglb {

std::vector<Fault> option_faults(const ServiceEntry& service, const ServiceMarks& marks);

}  // namespace maglb
