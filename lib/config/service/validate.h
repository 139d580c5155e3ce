// The promises of model.h, checked on a ServiceConfig wherever it came from.
#pragma once

#include "lib/base/error.h"
#include "lib/config/service/marks.h"
#include "lib/config/service/model.h"
#include "lib/yaml/problems.h"

namespace maglb {

// Every broken promise, at its mark.
void validate(const ServiceConfig& config, const ServiceConfigMarks& marks, yaml::Problems& problems);

// For a config that was changed in memory: the first broken promise, as "pool web: backend web3: ...".
Result<void> validate(const ServiceConfig& config);

bool is_prime(uint32_t number);

}  // namespace maglb
