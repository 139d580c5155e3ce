// What is wrong with a command line that names no command: which word, and what was perhaps meant.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace maglb::ctl {

// Nothing when `words` lead to a command: then something else is wrong. Escaped, without a newline.
std::optional<std::string> wrong_command(const CLI::App& root, const std::vector<std::string>& words);

}  // namespace maglb::ctl
