// The fields of a pool beside its probe, its source and its backends: scheduler and its prefixes, guard
// rails, slow start, drains, bounds, signals. Read, checked by themselves, written.
#pragma once

#include <string>
#include <vector>

#include "lib/config/service/fault.h"
#include "lib/config/service/marks.h"
#include "lib/config/service/model.h"
#include "lib/yaml/reader.h"

namespace maglb {

void read_pool_fields(yaml::MapReader& map, PoolConfig& pool, FieldMarks& marks);
// What needs no look at services or at other pools.
std::vector<Fault> pool_field_faults(const PoolConfig& pool, const FieldMarks& marks);
// A line each of what is not the default; the scheduler is not among them.
void write_pool_fields(const PoolConfig& pool, std::string& out);

}  // namespace maglb
