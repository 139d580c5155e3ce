// Who is to be probed: every backend of every pool that has a probe, at the probe's port or, where it
// names none, at the ports of the services that use the pool.
#pragma once

#include <vector>

#include "controlplane/probe/prober.h"
#include "lib/config/service/model.h"

namespace maglb {

// Backends of a pool whose probe names no port and that no service uses are not in it: nobody can say
// where to knock.
std::vector<ProbeUser> plan_probes(const ServiceConfig& config);

}  // namespace maglb
