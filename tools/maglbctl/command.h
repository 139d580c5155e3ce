// What every command of maglbctl is made of. A command adds itself to the command line, and when it
// is the chosen one leaves an Action, which main() runs after all options are known.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/maglbctl/client.h"
#include "tools/maglbctl/outcome.h"
#include "tools/maglbctl/render/render.h"

namespace maglb::ctl {

// -o: tables of two widths for people, the API's own objects for programs.
enum class Output { kTable, kWide, kYaml, kJson };

struct Session {
  Client& client;
  Output output;
  bool colour;        // on standard output
  std::string& note;  // for standard error, behind the text; empty: none

  Columns columns() const { return output == Output::kWide ? Columns::kWide : Columns::kUsual; }
};

// The answer as the session wants data: JSON or YAML; nothing when it wants a table.
std::optional<std::string> as_data(const Session& session, const Json& answer);

// Returns the text for standard output.
using Action = std::function<Outcome<std::string>(const Session&)>;

// Each adds one noun with its verbs. `chosen` outlives `root`.
void add_status(CLI::App& root, Action& chosen);
void add_service(CLI::App& root, Action& chosen);
void add_pool(CLI::App& root, Action& chosen);
void add_backend(CLI::App& root, Action& chosen);
void add_flow(CLI::App& root, Action& chosen);
void add_explain(CLI::App& root, Action& chosen);
void add_stats(CLI::App& root, Action& chosen);
void add_config(CLI::App& root, Action& chosen);
void add_event(CLI::App& root, Action& chosen);
void add_top(CLI::App& root, Action& chosen);
void add_completion(CLI::App& root, Action& chosen);

// A noun, which needs one of its verbs.
CLI::App& add_noun(CLI::App& root, const std::string& name, const std::string& description);

// How a command is shown by its --help.
struct Help {
  std::string description;
  std::string arguments;              // as in the usage line: "POOL/NAME N"
  std::vector<std::string> examples;  // without "maglbctl "
};
CLI::App& add_verb(CLI::App& parent, const std::string& name, const Help& help);

// --reason TEXT, of every verb that changes something.
std::shared_ptr<std::string> add_reason(CLI::App& verb);

// Refuse on the command line what cannot be the name of anything, an address or a revision.
extern const CLI::Validator kName;
extern const CLI::Validator kAddress;
extern const CLI::Validator kRevision;  // a number from 1

struct BackendName {
  std::string pool;
  std::string name;
};
// Takes POOL/NAME or POOL NAME from the front of `words`. Throws CLI::ValidationError, as what is
// wrong with a command line does, when they are no names.
BackendName take_backend_name(std::vector<std::string>& words);

// The answer as the session wants it: as data as it came, or text by `render`.
template <typename Render>
Outcome<std::string> shown(const Session& session, const Outcome<Json>& answer, Render render) {
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (auto data = as_data(session, *answer)) {
    return std::move(*data);
  }
  Rendered text = render(*answer);
  if (!text) {
    return failed(ExitCode::kFailed, text.error().message + ": is this maglb-controlplane?");
  }
  return std::move(*text);
}

}  // namespace maglb::ctl
