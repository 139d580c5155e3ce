// One pool as it is to be compiled: what the operator wants, what the probes know, and the guard rails put
// together. Pure.
//
// The order of the rules:
//   1. A drain that is closed counts as down.
//   2. Verdicts say who is healthy (verdicts.h).
//   3. Too few healthy ones: panic, all that are wanted are healthy and have their whole weight (panic.h).
//   4. Nobody healthy and no panic: the fallback serves, if it has somebody (fallback.h). Who is on trial
//      then waits.
//   5. Weights of those that ramp are the ramp's (slow_start.h).
// Where none of these finds anybody, the table stays: compile()'s invariant 2.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "controlplane/desired/drain_deadlines.h"
#include "controlplane/desired/panic.h"
#include "controlplane/desired/slow_start.h"
#include "controlplane/desired/verdicts.h"
#include "lib/config/service/model.h"

namespace maglb {

struct PoolPlan {
  PoolConfig pool;                             // with the states and weights that are to be compiled
  std::set<std::string, std::less<>> healthy;  // of its backends, those of the fallback too
  PoolCount count;                             // of its own, as judged
  uint32_t needed = 0;                         // of `count.healthy`, by min_healthy
  bool panic = false;
  bool on_fallback = false;
};

// What the backends' lives add to the configuration.
struct Lives {
  const Verdicts& verdicts;
  const SlowStart& slow_start;
  const DrainDeadlines& drains;
};

// `fallback`: null when the pool has none. `served`: the fallback did in the last table. REQUIRES: both have
// been judged.
PoolPlan plan_pool(const PoolConfig& pool, const PoolConfig* fallback, const Lives& lives,
                   bool served = false);

}  // namespace maglb
