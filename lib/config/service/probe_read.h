// The `health` of a pool and of a backend: YAML -> ProbeConfig. What has no meaning with the probe's type is
// refused here, at its place; what the values may be together is for probe_faults.h.
#pragma once

#include <optional>

#include "lib/config/service/marks.h"
#include "lib/config/service/model.h"
#include "lib/config/service/own_probes.h"
#include "lib/yaml/reader.h"

namespace maglb {

// A pool's. An absent field leaves the probe as it is.
void read_probe(const yaml::Field& field, ProbeConfig& probe, FieldMarks& marks);

// A backend's: what it does not say is as in `base`, the pool's. Nothing when the field is absent, or when
// all that were read so far hold too much, which is a problem.
std::optional<ProbeConfig> read_own_probe(const yaml::Field& field, const ProbeConfig& base,
                                          FieldMarks& marks, OwnProbes& all);

}  // namespace maglb
