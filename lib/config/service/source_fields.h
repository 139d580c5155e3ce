// The `source` of a pool: where its backends come from beside those that are listed. Read, checked, written.
#pragma once

#include <string>
#include <vector>

#include "lib/config/service/fault.h"
#include "lib/config/service/marks.h"
#include "lib/config/service/model.h"
#include "lib/yaml/reader.h"

namespace maglb {

void read_source(const yaml::Field& field, BackendSource& source, FieldMarks& marks);
std::vector<Fault> source_faults(const BackendSource& source, const FieldMarks& marks);
// In braces. REQUIRES: the type is not kStatic.
std::string write_source(const BackendSource& source);

}  // namespace maglb
