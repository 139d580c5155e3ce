// When so few backends of a pool are healthy that the probes are not believed, or the few would drown:
// below `min_healthy` all that the operator wants up are treated as healthy ("panic"). Pure.
//
// A backend is wanted when its state is up and its weight above 0; no other counts, here or there. Nor does
// one that was never judged (verdicts.h): a backend that was just added neither ends a panic nor begins one.
#pragma once

#include <cstdint>
#include "controlplane/desired/verdicts.h"
#include "lib/config/service/model.h"

namespace maglb {

struct PoolCount {
  uint32_t wanted = 0;    // and judged
  uint32_t healthy = 0;   // of these
  uint32_t unjudged = 0;  // wanted, and never judged
};

bool is_wanted(const BackendConfig& backend);

PoolCount count_pool(const PoolConfig& pool, const Verdicts& verdicts);

// How many of `wanted` have to be healthy: a percentage is rounded up, and a number is at most `wanted`, so
// that a pool with everybody healthy is never in panic. 0: no number is too few.
uint32_t needed_healthy(const Quorum& min_healthy, uint32_t wanted);

bool is_panic(const Quorum& min_healthy, const PoolCount& count);

}  // namespace maglb
