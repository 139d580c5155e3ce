// What is wrong with a probe by itself, whoever uses its pool.
#pragma once

#include <vector>

#include "lib/config/service/fault.h"
#include "lib/config/service/marks.h"
#include "lib/config/service/model.h"

namespace maglb {

std::vector<Fault> probe_faults(const ProbeConfig& probe, const FieldMarks& marks);

}  // namespace maglb
