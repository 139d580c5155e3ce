// What must hold for a Change before the dataplane touches anything. Bounds and references inside one
// pool or service; what needs the running state (does the pool exist?) is the Registry's.
#pragma once

#include "lib/base/error.h"
#include "lib/snapshot/view/forwarding_state.h"

namespace maglb {

// Names, number and addresses of backends, a prime table size, every slot a backend of the pool that
// is up or unhealthy, or all of them none.
Result<void> validate(const PoolSpec& pool);

// Names, an address that can be served, a protocol and port, timeouts in 1 ms..kLongestTimeout.
Result<void> validate(const ServiceSpec& service);

inline constexpr Duration kLongestTimeout = std::chrono::hours(24);

}  // namespace maglb
