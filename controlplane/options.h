// The command line of maglb-controlplane.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/bpf/probe_path.h"

namespace maglb {

struct Options {
  std::string config = "/etc/maglb/maglb.yaml";
  std::string dataplane_socket = "/run/maglb/dataplane.sock";
  std::string api_socket = "/run/maglb/api.sock";
  std::string api_admin_group;  // empty: the socket's mode decides alone
  std::string api_read_group;
  std::string api_listen;  // empty: no TCP; else all three files below are there
  std::string api_cert;
  std::string api_key;
  std::string api_client_ca;
  std::vector<std::string> api_admin_names;
  std::string metrics_listen;  // empty: nowhere
  std::string state_dir = "/var/lib/maglb";
  std::string log_level = "info";
  ProbeSources probe_sources;
  std::string exec_dir;  // empty: no probe runs a program
  bool check = false;    // only read the file
};

struct CommandLine {
  Options options;
  std::optional<int> exit_code;  // the program ends at once: help, version, a usage error
};

CommandLine parse_options(int argc, char** argv);

}  // namespace maglb
