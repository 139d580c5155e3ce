// maglb-replay: what maglb would do with the packets of a capture. See docs/replay.md.
//
// Counters go to standard output, everything else to standard error.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "lib/base/isa.h"
#include "lib/config/machine/parse.h"
#include "lib/config/service/parse.h"
#include "lib/yaml/text.h"
#include "tools/maglb-replay/replay.h"

namespace maglb::replay {
namespace {

enum class ExitCode { kOk = 0, kFailed = 1, kUsage = 2, kInvalidConfiguration = 3 };

struct Options {
  std::string config;
  std::string dataplane;
  std::string in;
  std::string out;
  Replay::FrameRange explain;
  bool json = false;
  bool check = false;
};

constexpr const char* kFooter =
    "Examples:\n"
    "  maglb-replay --config maglb.yaml --in in.pcap --out out.pcap\n"
    "  maglb-replay --config maglb.yaml --dataplane dataplane.yaml --in in.pcap --out /dev/null --json\n"
    "  maglb-replay --config maglb.yaml --in in.pcap --out /dev/null --explain 1-10\n"
    "  maglb-replay --config maglb.yaml --check\n"
    "\n"
    "Environment: MAGLB_ISA, the instructions of the packet path: baseline, avx2 or avx512 [the best there "
    "are].\n"
    "\n"
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 invalid configuration.";

// "3" or "3-17".
Replay::FrameRange frame_range(const std::string& text) {
  const size_t dash = text.find('-');
  const auto first = yaml::parse_integer(text.substr(0, dash));
  const auto last = dash == std::string::npos ? first : yaml::parse_integer(text.substr(dash + 1));
  if (!first || !last || *first == 0 || *first > *last) {
    throw CLI::ValidationError("--explain", "expected a frame's number from 1, or a range like 3-17");
  }
  if (*last - *first >= Replay::kMostExplained) {
    throw CLI::ValidationError("--explain", fmt::format("more than {} frames", Replay::kMostExplained));
  }
  return {*first, *last};
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("--config", options.config, "What is served: maglb.yaml")->required()->option_text("FILE");
  app.add_option("--dataplane", options.dataplane,
                 "This machine's ports and tunnel source: dataplane.yaml [one port, MTU 1500, tunnel source "
                 "10.0.0.2]")
      ->option_text("FILE");
  app.add_option("--in", options.in, "Ethernet capture to read, pcap or pcapng")->option_text("FILE");
  app.add_option("--out", options.out, "Capture to write, pcap in nanoseconds")->option_text("FILE");
  app.add_option_function<std::string>(
         "--explain", [&options](const std::string& text) { options.explain = frame_range(text); },
         "Explain the frames of these numbers, the first is 1: where each goes, and why")
      ->option_text("N[-M]");
  app.add_flag("--json", options.json, "Print the counters as one JSON object");
  app.add_flag("--check", options.check, "Only check the configuration files");
  app.set_version_flag("--version", "maglb-replay " MAGLB_VERSION, "Print the version");
}

int fail_with(ExitCode code, std::string_view message) {
  fmt::print(stderr, "maglb-replay: {}\n", message);
  return static_cast<int>(code);
}

// Positions stand alone on their lines, as tools that jump to them expect.
int refuse(const yaml::Problems& problems) {
  fmt::print(stderr, "{}\n", problems.to_string());
  return static_cast<int>(ExitCode::kInvalidConfiguration);
}

bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::is_regular_file(a, error) && std::filesystem::equivalent(a, b, error) && !error;
}

// Empty: the options go together.
std::string_view misuse_of(const Options& options) {
  if (options.check) {
    return options.in.empty() && options.out.empty() ? ""
                                                     : "--check reads no capture: leave out --in and --out";
  }
  if (options.in.empty() || options.out.empty()) {
    return "--in and --out are required";
  }
  return is_same_file(options.in, options.out) ? "--out names the capture that --in reads" : "";
}

int print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return fail_with(ExitCode::kFailed, "cannot write to standard output");
  }
  return static_cast<int>(ExitCode::kOk);
}

int replay(Replay& replay, const Options& options) {
  auto in = CaptureReader::open(options.in);
  if (!in) {
    return fail_with(ExitCode::kFailed, in.error().message);
  }
  auto out = CaptureWriter::create(options.out);
  if (!out) {
    return fail_with(ExitCode::kFailed, out.error().message);
  }
  replay.explain(options.explain);
  if (const auto done = replay.run(*in, *out); !done) {
    return fail_with(ExitCode::kFailed, done.error().message);
  }
  const Report report = replay.report();
  if (options.explain.first > report.received) {
    return fail_with(ExitCode::kFailed, fmt::format("--explain: there is no frame {}: the capture has {}",
                                                    options.explain.first, report.received));
  }
  if (const auto committed = out->commit(); !committed) {
    return fail_with(ExitCode::kFailed, committed.error().message);
  }
  fmt::print(stderr, "{}", remarks(report));
  if (options.json) {
    return print(to_json(report, replay.explained()));
  }
  return print(options.explain.first != 0 ? to_text(replay.explained()) : to_text(report));
}

int run(const Options& options, Isa isa) {
  const auto services = load_service_config(options.config);
  if (!services) {
    return refuse(services.error());
  }
  const auto machine = options.dataplane.empty() ? yaml::Checked<MachineConfig>(example_machine())
                                                 : load_machine_config(options.dataplane);
  if (!machine) {
    return refuse(machine.error());
  }
  const auto created = Replay::create(*services, *machine, isa);
  if (!created) {
    fmt::print(stderr, "{}: {}\n", options.config, created.error().message);
    return static_cast<int>(ExitCode::kInvalidConfiguration);
  }
  return options.check ? static_cast<int>(ExitCode::kOk) : replay(**created, options);
}

int parse_and_run(int argc, char** argv) {
  CLI::App app("maglb-replay: what maglb would do with the packets of a capture", "maglb-replay");
  Options options;
  add_options(app, options);
  app.failure_message(CLI::FailureMessage::simple);
  app.footer(kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked_for = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
    if (!asked_for) {
      std::cerr << "maglb-replay: ";
    }
    app.exit(error, std::cout, std::cerr);
    return static_cast<int>(asked_for ? ExitCode::kOk : ExitCode::kUsage);
  }
  if (const auto misuse = misuse_of(options); !misuse.empty()) {
    return fail_with(ExitCode::kUsage, misuse);
  }
  const auto isa = isa_from(std::getenv("MAGLB_ISA"));
  if (!isa) {
    return fail_with(ExitCode::kUsage, isa.error().message);
  }
  return run(options, *isa);
}

}  // namespace
}  // namespace maglb::replay

int main(int argc, char** argv) {
  return maglb::replay::parse_and_run(argc, argv);
}
