// What has to be said behind a change that was kept and that no dataplane runs.
#pragma once

#include "tools/maglbctl/command.h"

namespace maglb::ctl {

// Leaves it as the session's note. Nothing when the dataplane runs the change, or when that cannot be asked.
void note_if_not_running(const Session& session);

}  // namespace maglb::ctl
