// The control plane put together: objects in the order of what leans on what, signals, and the loop.
#pragma once

#include "controlplane/options.h"

namespace maglb {

// Runs until SIGTERM or SIGINT. Returns the exit code: 0 after a signal, 1 when it cannot run, 3 when the
// configuration is refused and there is no stored one.
int run_daemon(const Options& options);

// --check: 0, or 3 with what was expected on standard error.
int check_file(const Options& options);

}  // namespace maglb
