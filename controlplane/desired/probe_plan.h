// Who is to be probed: every backend that has a probe, its own or its pool's, at the probe's port or, where
// it names none, at the ports of the services that use the pool, also those of which it is the fallback.
//
// With `via: tunnel` it is probed once for each distinct (service address, port, encapsulation) of these
// services, at the service's address and in its encapsulation. Of a service with a prefix it is the first
// address behind the prefix's own. A service that forwards by nat has no tunnel and counts for nothing here.
#pragma once

#include <vector>

#include "controlplane/probe/prober.h"
#include "lib/config/service/model.h"

namespace maglb {

// icmp and exec need no port and are probed once. Other backends whose probe names no port and whose pool no
// service uses are not in it: nobody can say where to knock. A user with a path needs a mark before it is
// probed (TunnelMarks::give).
std::vector<ProbeUser> plan_probes(const ServiceConfig& config);

}  // namespace maglb
