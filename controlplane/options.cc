#include "controlplane/options.h"

#include <CLI/CLI.hpp>

#include <vector>

namespace maglb {
namespace {

constexpr int kUsageError = 2;

void add_api_options(CLI::App& app, Options& options) {
  app.add_option("--api-socket", options.api_socket, "where to serve the API")->capture_default_str();
  app.add_option("--api-admin-group", options.api_admin_group,
                 "whose members may change, on the socket; others may not, but root and this user");
  app.add_option("--api-read-group", options.api_read_group, "whose members may read, on the socket");
  app.add_option("--api-listen", options.api_listen, "ADDRESS:PORT to serve the API with mutual TLS");
  app.add_option("--api-cert", options.api_cert, "the certificate of --api-listen, PEM, with its chain");
  app.add_option("--api-key", options.api_key, "its key, PEM");
  app.add_option("--api-client-ca", options.api_client_ca, "the CA of its clients, PEM");
  app.add_option("--api-admin-name", options.api_admin_names,
                 "common name of a client that may change (may be repeated); the others read");
  app.add_option("--metrics-listen", options.metrics_listen,
                 "ADDRESS:PORT to serve /metrics, /livez and /readyz to everybody, plain HTTP");
}

// Nothing of the API is ever served on TCP to somebody who showed no certificate.
void check_api_options(const Options& options) {
  const bool has_all =
      !options.api_cert.empty() && !options.api_key.empty() && !options.api_client_ca.empty();
  const bool has_any = !options.api_cert.empty() || !options.api_key.empty() ||
                       !options.api_client_ca.empty() || !options.api_admin_names.empty();
  if (!options.api_listen.empty() && !has_all) {
    throw CLI::ValidationError("--api-listen",
                               "needs --api-cert, --api-key and --api-client-ca: "
                               "the API is served on TCP with mutual TLS only");
  }
  if (options.api_listen.empty() && has_any) {
    throw CLI::ValidationError("--api-cert, --api-key, --api-client-ca, --api-admin-name",
                               "need --api-listen");
  }
}

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
  add_api_options(app, options);
  app.add_option("--state-dir", options.state_dir, "where runtime changes and health are kept")
      ->capture_default_str();
  app.add_option_function<std::vector<std::string>>(
         "--probe-source",
         [&options](const std::vector<std::string>& texts) {
           add_probe_source(texts, options.probe_sources);
         },
         "address of this host that probes through tunnels come from; once for each family")
      ->type_name("ADDRESS");
  app.add_option("--exec-dir", options.exec_dir,
                 "directory, from /, whose programs probes of type exec may run; without it none may");
  app.add_option("--log-level", options.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_flag("--check", options.check, "check the configuration file and exit (0 good, 3 refused)");
  try {
    app.parse(argc, argv);
    check_api_options(options);
    if (!options.exec_dir.empty() && options.exec_dir[0] != '/') {
      throw CLI::ValidationError("--exec-dir", "needs a path from /");
    }
  } catch (const CLI::ParseError& error) {
    line.exit_code = app.exit(error) == 0 ? 0 : kUsageError;
  }
  return line;
}

}  // namespace maglb
