#include "tools/maglbctl/not_running.h"

#include <fmt/format.h>

#include "tools/maglbctl/render/field.h"

namespace maglb::ctl {

void note_if_not_running(const Session& session) {
  const auto status = session.client.get("/v1/status");
  if (!status || !member(*status, "ready").is_boolean() || is_true(*status, "ready")) {
    return;
  }
  const Json& dataplane = member(*status, "dataplane");
  const std::string why = text(dataplane, "error");
  session.note = fmt::format(
      "kept; {}{}{}",
      is_true(dataplane, "connected") ? "the dataplane does not run it yet" : "no dataplane runs it yet",
      why == "-" ? "" : ": ", why == "-" ? "" : why);
}

}  // namespace maglb::ctl
