// The verbs of `config` that look back and undo.
#pragma once

#include "tools/maglbctl/command.h"

namespace maglb::ctl {

void add_history_verbs(CLI::App& noun, Action& chosen);

}  // namespace maglb::ctl
