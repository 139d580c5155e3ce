#include "controlplane/daemon.h"
#include "controlplane/options.h"

int main(int argc, char** argv) {
  const maglb::CommandLine line = maglb::parse_options(argc, argv);
  if (line.exit_code) {
    return *line.exit_code;
  }
  return line.options.check ? maglb::check_file(line.options) : maglb::run_daemon(line.options);
}
