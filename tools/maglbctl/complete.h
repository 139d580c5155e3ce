// What a shell may offer for the word that is being typed: commands and options from the command line's
// own tree, names of services, pools and backends from the daemon while it answers at once.
//
// Every candidate is a word of this program's or a name by lib/base/name.h: a shell may take it as it is.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace maglb::ctl {

// Stands alone: the shell knows better, it is a file.
inline constexpr const char* kFiles = ":files";

// `words` are those behind "maglbctl", the last the one that is typed, which may be empty. Names come
// from the socket that the words or the environment name, else from `socket`; none when it does not
// answer within 300 ms.
std::vector<std::string> complete(const CLI::App& root, const std::vector<std::string>& words,
                                  const std::string& socket);

// Every command that has no further ones, with its options, for a test of the manual:
// {"commands": [{"command", "description", "options": [{"names": ["--x", "-x"], "description"}]}],
//  "options": those of the root}.
nlohmann::json command_tree(const CLI::App& root);

}  // namespace maglb::ctl
