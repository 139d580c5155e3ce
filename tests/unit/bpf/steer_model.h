// The steering rules once more, as plainly as can be: over SteerWanted itself, a rule at a time.
#pragma once

#include <ostream>

#include "lib/bpf/steer_tables.h"
#include "tests/unit/bpf/steer_frames.h"

namespace maglb {

// What becomes of a frame: the kernel's without a word, a worker's, or the kernel's and counted.
enum class Why { kKernel, kService, kFragment, kIcmp, kEcho, kTunnelError, kKeptVlan, kKeptHeaders };

std::ostream& operator<<(std::ostream& out, Why why);

Why model(const SteerWanted& wanted, const MacAddress& mac, const Frame& frame);

}  // namespace maglb
