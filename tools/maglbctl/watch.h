// --watch: a command that is asked again and again until it is interrupted.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <optional>

#include "tools/maglbctl/command.h"

namespace maglb::ctl {

// Gives a verb that only reads the option --watch [SECONDS].
CLI::App& watchable(CLI::App& verb);

// How often the parsed command line wants its command repeated; nothing when it wants it once.
std::optional<std::chrono::milliseconds> watch_period(const CLI::App& root);

// Prints what `action` says, at once and then every `period`: over the last on a terminal, else behind a
// blank line. Ends with kOk on SIGINT or SIGTERM, also in the middle of a request. Fails when the first
// answer does, or when nothing can be written; a later failure is shown in place of the answer, since
// the daemon may come back.
Outcome<void> watch(const Action& action, const Session& session, std::chrono::milliseconds period);

}  // namespace maglb::ctl
