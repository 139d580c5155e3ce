// The command line of maglb-controlplane.
#pragma once

#include <optional>
#include <string>

#include "lib/bpf/probe_path.h"

namespace maglb {

struct Options {
  std::string config = "/etc/maglb/maglb.yaml";
  std::string dataplane_socket = "/run/maglb/dataplane.sock";
  std::string api_socket = "/run/maglb/api.sock";
  std::string state_dir = "/var/lib/maglb";
  std::string log_level = "info";
  ProbeSources probe_sources;
  bool check = false;  // only read the file
};

struct CommandLine {
  Options options;
  std::optional<int> exit_code;  // the program ends at once: help, version, a usage error
};

CommandLine parse_options(int argc, char** argv);

}  // namespace maglb
