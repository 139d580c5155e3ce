// Where words of a command line lead, without judging them: for completion, and to say what is wrong.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace maglb::ctl {

struct Place {
  const CLI::App* app = nullptr;         // the command as far as it is known
  std::vector<std::string> positionals;  // of the command: what names no further one
  const CLI::Option* value = nullptr;    // the next word is this option's value
  bool options_over = false;             // behind "--"
  std::string socket;                    // of --socket; empty: not given
};

Place place_of(const CLI::App& root, const std::vector<std::string>& words);

// Of the command, or of those above it. Null: there is none.
const CLI::Option* find_option(const CLI::App& app, const std::string& name);

bool is_number(const std::string& word);

std::vector<std::string> command_names(const CLI::App& app);

}  // namespace maglb::ctl
