// Who is to be probed: every backend of every pool that has a probe, at the probe's port or, where it
// names none, at the ports of the services that use the pool.
//
// With `via: tunnel` it is probed once for each distinct (service address, port, encapsulation) of these
// services, at the service's address and in its encapsulation. Of a service with a prefix it is the first
// address behind the prefix's own. A service that forwards by nat has no tunnel and counts for nothing here.
#pragma once

#include <vector>

#include "controlplane/probe/prober.h"
#include "lib/config/service/model.h"

namespace maglb {

// Backends of a pool whose probe names no port and that no service uses are not in it: nobody can say
// where to knock. A user with a path needs a mark before it is probed (TunnelMarks::give).
std::vector<ProbeUser> plan_probes(const ServiceConfig& config);

}  // namespace maglb
