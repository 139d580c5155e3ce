// maglbctl: asks and changes a running maglb-controlplane over its Unix socket.
//
// Data goes to standard output, everything else to standard error; exit codes are those of outcome.h.
#include <fmt/format.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "tools/maglbctl/command.h"
#include "tools/maglbctl/complete.h"
#include "tools/maglbctl/render/human.h"
#include "tools/maglbctl/watch.h"
#include "tools/maglbctl/wrong_word.h"

namespace maglb::ctl {
namespace {

struct Options {
  std::string socket = "/run/maglb/api.sock";
  std::string output = "table";
  double timeout_seconds = 10;
};

std::string refuse_socket(std::string& path) {
  constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  return !path.empty() && path.size() <= kLongest
             ? ""
             : fmt::format("'{}' is no path of a socket: 1 to {} bytes", escaped(path), kLongest);
}

void add_global_options(CLI::App& root, Options& options) {
  root.add_option("--socket", options.socket,
                  "Where the control plane listens; else MAGLB_SOCKET, else /run/maglb/api.sock")
      ->envname("MAGLB_SOCKET")
      ->check(CLI::Validator(refuse_socket, ""))
      ->option_text("PATH");
  root.add_option("-o,--output", options.output,
                  "table or wide for people, json or yaml for programs [table]")
      ->check(CLI::IsMember({"table", "wide", "yaml", "json"}))
      ->option_text("FORMAT");
  root.add_option("--timeout", options.timeout_seconds, "How long to wait for each answer [10]")
      ->check(CLI::Range(0.01, 3600.0, "0.01..3600"))
      ->option_text("SECONDS");
  root.set_version_flag("--version", "maglbctl " MAGLB_VERSION, "Prints the version");
}

constexpr const char* kFooter =
    "Examples:\n"
    "  maglbctl status\n"
    "  maglbctl backend list web\n"
    "  maglbctl backend drain web/web1\n"
    "  maglbctl config apply maglb.yaml\n"
    "  maglbctl explain tcp 192.0.2.11 40000 198.51.100.1 80\n"
    "  maglbctl stats --workers -o json\n"
    "\n"
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 invalid configuration, 4 daemon unreachable, 5 not found, 6 "
    "conflict.";

// `root` is parsed; says what is wrong with the command line, or what --help asked for.
int finish_parse(const CLI::App& root, const CLI::ParseError& error, const std::vector<std::string>& words) {
  const bool asked_for = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
  if (!asked_for) {
    std::cerr << "maglbctl: ";
    // Else an option in front of the command is what is wrong.
    const bool of_words = error.get_name() == "RequiredError" || error.get_name() == "ExtrasError";
    if (const auto wrong = of_words ? wrong_command(root, words) : std::nullopt) {
      std::cerr << *wrong << "\nRun with --help for more information.\n";
      return static_cast<int>(ExitCode::kUsage);
    }
  }
  root.exit(error, std::cout, std::cerr);
  return static_cast<int>(asked_for ? ExitCode::kOk : ExitCode::kUsage);
}

int report(const Failure& failure) {
  for (const Position& position : failure.positions) {
    // Line 0 is the document as a whole, as when it is empty.
    const std::string place = position.line == 0 ? "" : fmt::format("{}:{}:", position.line, position.column);
    fmt::print(stderr, "{}:{} {}\n", escaped(failure.document), place, position.message);
  }
  if (!failure.message.empty()) {
    fmt::print(stderr, "maglbctl: {}\n", failure.message);
  }
  return static_cast<int>(failure.code);
}

// A full disk or a closed descriptor must not look like success.
int print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return report({ExitCode::kFailed, "cannot write to standard output"});
  }
  return static_cast<int>(ExitCode::kOk);
}

bool colour_wanted() {
  const char* no_color = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) != 0 && (no_color == nullptr || *no_color == '\0');
}

Output output_of(const std::string& format) {
  return format == "json"   ? Output::kJson
         : format == "yaml" ? Output::kYaml
         : format == "wide" ? Output::kWide
                            : Output::kTable;
}

std::string environments_socket(const Options& options) {
  const char* named = std::getenv("MAGLB_SOCKET");
  return named != nullptr && *named != '\0' ? named : options.socket;
}

// What shells and tests ask for, which is no command of people: "__complete -- WORDS..." and
// "__commands". Nothing when the command line is neither.
std::optional<std::string> answer_to_programs(const CLI::App& root, const Options& options,
                                              const std::vector<std::string>& words) {
  if (words.size() == 1 && words[0] == "__commands") {
    return render_json(command_tree(root));
  }
  if (words.size() < 2 || words[0] != "__complete" || words[1] != "--") {
    return std::nullopt;
  }
  std::string text;
  for (const std::string& candidate :
       complete(root, {words.begin() + 2, words.end()}, environments_socket(options))) {
    text += candidate + "\n";
  }
  return text;
}

int run(int argc, char** argv) {
  CLI::App root("maglbctl: the operator's tool of maglb", "maglbctl");
  Options options;
  Action chosen;
  // Options of the root may stand anywhere; taken over by every command that is added.
  root.fallthrough();
  root.require_subcommand(1);
  root.failure_message(CLI::FailureMessage::simple);
  root.footer(kFooter);
  add_global_options(root, options);
  add_status(root, chosen);
  add_service(root, chosen);
  add_pool(root, chosen);
  add_backend(root, chosen);
  add_flow(root, chosen);
  add_explain(root, chosen);
  add_stats(root, chosen);
  add_config(root, chosen);
  add_event(root, chosen);
  add_top(root, chosen);
  add_completion(root, chosen);
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (const auto answer = answer_to_programs(root, options, words)) {
    return print(*answer);
  }
  try {
    root.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return finish_parse(root, error, words);
  }
  Client client(options.socket, std::chrono::milliseconds(std::llround(options.timeout_seconds * 1000)));
  std::string note;
  const Session session{client, output_of(options.output), colour_wanted(), note};
  if (const auto period = watch_period(root)) {
    const auto ended = watch(chosen, session, *period);
    return ended ? static_cast<int>(ExitCode::kOk) : report(ended.error());
  }
  const auto text = chosen(session);
  const int code = text ? print(*text) : report(text.error());
  if (!note.empty()) {
    fmt::print(stderr, "maglbctl: {}\n", note);
  }
  return code;
}

}  // namespace
}  // namespace maglb::ctl

int main(int argc, char** argv) {
  return maglb::ctl::run(argc, argv);
}
