#include "controlplane/options.h"

#include <CLI/CLI.hpp>

#include <vector>

namespace maglb {
namespace {

constexpr int kUsageError = 2;

void add_probe_source(const std::vector<std::string>& texts, ProbeSources& sources) {
  for (const std::string& text : texts) {
    const auto address = IpAddress::parse(text);
    if (!address) {
      throw CLI::ValidationError("--probe-source", address.error().message);
    }
    (address->is_v4() ? sources.v4 : sources.v6) = *address;
  }
}

}  // namespace

CommandLine parse_options(int argc, char** argv) {
  CommandLine line;
  Options& options = line.options;
  CLI::App app("maglb's control plane: reads the configuration, probes backends, tells the dataplane");
  app.set_version_flag("--version", "maglb-controlplane " MAGLB_VERSION);
  app.add_option("--config", options.config, "what to serve")->capture_default_str();
  app.add_option("--dataplane-socket", options.dataplane_socket, "where the dataplane listens")
      ->capture_default_str();
  app.add_option("--api-socket", options.api_socket, "where to serve the API")->capture_default_str();
  app.add_option("--state-dir", options.state_dir, "where runtime changes and health are kept")
      ->capture_default_str();
  app.add_option_function<std::vector<std::string>>(
         "--probe-source",
         [&options](const std::vector<std::string>& texts) {
           add_probe_source(texts, options.probe_sources);
         },
         "address of this host that probes through tunnels come from; once for each family")
      ->type_name("ADDRESS");
  app.add_option("--log-level", options.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_flag("--check", options.check, "check the configuration file and exit (0 good, 3 refused)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    line.exit_code = app.exit(error) == 0 ? 0 : kUsageError;
  }
  return line;
}

}  // namespace maglb
