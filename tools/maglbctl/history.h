// The verbs of `config` that look back and undo.
#pragma once

#include "tools/maglbctl/command.h"

namespace maglb::ctl {

void add_history_verbs(CLI::App& noun, Action& chosen);

// For a query: everything but letters, digits and -._~ as %XX.
std::string url_escaped(std::string_view text);

}  // namespace maglb::ctl
