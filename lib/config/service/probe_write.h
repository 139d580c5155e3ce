// ProbeConfig -> the `health` of a pool or a backend, in braces.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/config/service/model.h"

namespace maglb {

// What differs from the defaults, and what an operator looks for.
std::string write_probe(const ProbeConfig& probe);
// What differs from what a backend of the pool has that says nothing: "{}" if nothing does.
std::string write_own_probe(const ProbeConfig& probe, const ProbeConfig& of_pool);

// Every key that has a meaning with the probe's type, and its value as it is written.
std::vector<std::pair<std::string, std::string>> probe_values(const ProbeConfig& probe);

}  // namespace maglb
