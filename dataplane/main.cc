// maglb-dataplane: forwards packets by what a control plane publishes to it.
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>

#include "dataplane/dataplane.h"
#include "lib/base/isa.h"
#include "lib/base/unique_fd.h"
#include "lib/config/machine/parse.h"

namespace maglb {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitInvalidConfig = 3;

struct Options {
  std::string config = "/etc/maglb/dataplane.yaml";
  std::string socket = "/run/maglb/dataplane.sock";
  std::optional<IdlePolicy> idle;
  bool check = false;
};

void set_up_log() {
  auto log = spdlog::stderr_logger_mt("maglb");
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  log->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(log));
}

// Threads that are made later inherit the mask: the signals come through the descriptor only.
UniqueFd take_signals() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int run(const MachineConfig& config, const Options& options, Isa isa) {
  if (geteuid() != 0) {
    fmt::print(stderr,
               "maglb-dataplane: must be run as root: it opens network devices and loads XDP programs\n");
    return kExitFailed;
  }
  set_up_log();
  const UniqueFd signals = take_signals();
  auto dataplane = Dataplane::start(config, options.socket, options.idle, isa);
  if (!dataplane) {
    spdlog::error("{}", dataplane.error().message);
    return kExitFailed;
  }
  sd_notify(0, "READY=1");
  (*dataplane)->run(signals.get());
  sd_notify(0, "STOPPING=1");
  spdlog::info("stopping");
  dataplane->reset();
  return 0;
}

int main_with(int argc, char** argv) {
  CLI::App app("Forwards packets by what maglb-controlplane publishes to it.", "maglb-dataplane");
  Options options;
  app.add_option("--config", options.config, "what this machine is: cores, ports, memory")
      ->capture_default_str();
  app.add_option("--socket", options.socket, "where the control plane connects")->capture_default_str();
  const std::map<std::string, IdlePolicy> policies = {
      {std::string(to_string(IdlePolicy::kPoll)), IdlePolicy::kPoll},
      {std::string(to_string(IdlePolicy::kAdaptive)), IdlePolicy::kAdaptive}};
  app.add_option(
         "--idle", options.idle,
         "while nothing arrives: poll never sleeps; adaptive sleeps, and adds at most some 50 us to the "
         "first packet after silence. Default: poll where all ports are PCI devices and no worker shares "
         "the main core, else adaptive")
      ->transform(CLI::CheckedTransformer(policies))
      ->option_text("poll|adaptive");
  app.add_flag("--check", options.check, "check the configuration file and exit");
  app.set_version_flag("--version", "maglb-dataplane " MAGLB_VERSION);
  app.footer(
      "Environment: MAGLB_ISA, the instructions of the packet path: baseline, avx2 or avx512 [the best there "
      "are].");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  const auto isa = isa_from(std::getenv("MAGLB_ISA"));
  if (!isa) {
    fmt::print(stderr, "maglb-dataplane: {}\n", isa.error().message);
    return kExitUsage;
  }
  const auto config = load_machine_config(options.config);
  if (!config) {
    fmt::print(stderr, "{}\n", config.error().to_string());
    return kExitInvalidConfig;
  }
  if (options.check) {
    fmt::print("{}: ok\n", options.config);
    return 0;
  }
  return run(*config, options, *isa);
}

}  // namespace
}  // namespace maglb

int main(int argc, char** argv) {
  return maglb::main_with(argc, argv);
}
