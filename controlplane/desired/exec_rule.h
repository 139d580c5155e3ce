// Which programs a probe of type exec may run. They run with the rights of this process, and who may change
// the document need not have those (an admin over TLS, a group on the socket): so root's files in one
// directory that this process was started with (--exec-dir), and none without it.
//
// A program is named by a plain path in the directory, and is there when its links are followed; it and the
// directories down to it are root's, and nobody else may write them. Its real path is what runs. Asked when a
// document is taken, and again when its probes are planned: what ran before the option was, or whose file was
// changed, is not run.
//
// Threads: any; it looks at the file system.
#pragma once

#include <map>
#include <string>

#include "controlplane/probe/prober.h"
#include "lib/base/error.h"
#include "lib/config/service/model.h"

namespace maglb {

class ExecRule {
 public:
  explicit ExecRule(std::string directory = {}, uint32_t owner = 0);

  // Why it may not be run; empty: it may.
  std::string fault(const std::string& program) const;

  // Whether the programs of `document` may be run, but for those that `running` has, too: an edit of
  // something else is no matter of theirs.
  Result<void> allows(const ServiceConfig& document, const ServiceConfig& running) const;

  // Gives the users whose program may not be run a fault, and the others its real path. Returns why, by
  // program.
  std::map<std::string, std::string> refuse(std::vector<ProbeUser>& users) const;

 private:
  std::string fault_under(const std::string& file, const std::string& directory) const;
  std::string fault_of_file(const std::string& path, bool is_program) const;

  std::string directory_;  // without a slash at its end
  uint32_t owner_;         // of programs and directories
};

}  // namespace maglb
