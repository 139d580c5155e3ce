// Who is to be probed: every backend that has a probe, its own or its pool's, at the probe's port or, where
// it names none, at the ports of the services that use the pool.
#pragma once

#include <vector>

#include "controlplane/probe/prober.h"
#include "lib/config/service/model.h"

namespace maglb {

// icmp and exec need no port and are probed once. Other backends whose probe names no port and whose pool no
// service uses are not in it: nobody can say where to knock.
std::vector<ProbeUser> plan_probes(const ServiceConfig& config);

}  // namespace maglb
