// The API's objects (docs/api.md) as text for people. Every function is pure: the same answer gives
// the same text, which ends with a newline. An answer that is not such an object is an error; a field
// that is missing or null is shown as "-".
#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "tools/maglbctl/render/field.h"

namespace maglb::ctl {

using Rendered = Result<std::string>;

Rendered render_status(const Json& status, bool colour);

Rendered render_services(const Json& answer, bool colour);
Rendered render_service(const Json& service, bool colour);

Rendered render_pools(const Json& answer, bool colour);
Rendered render_pool(const Json& pool, bool colour);

Rendered render_backends(const Json& answer, bool colour);
Rendered render_backend(const Json& backend, bool colour);
// One line: what became of a backend. `field` is what was to be changed, "state" or "weight".
Rendered render_backend_change(const Json& before, const Json& after, std::string_view field);
Rendered render_backend_added(const Json& backend);

// The packet that a lookup asked about, as the operator wrote it.
struct LookupQuery {
  std::string protocol;
  std::string source;
  std::string source_port;
  std::string destination;
  std::string destination_port;
};
Rendered render_flow_lookup(const LookupQuery& query, const Json& lookup, bool colour);
Rendered render_explanation(const Json& explanation, bool colour);
Rendered render_flow_summary(const Json& summary, bool colour);

// What of the statistics is wanted beside the totals.
struct StatsSections {
  bool workers = false;
  bool ports = false;
};
Rendered render_stats(const Json& stats, const StatsSections& sections, bool colour);

Rendered render_check(std::string_view file, const Json& valid);
Rendered render_applied(std::string_view what, const Json& applied);

Rendered render_revisions(const Json& answer, bool colour);
Rendered render_diff(const Json& answer, bool colour);
// What a document would change: the lines, and the share of slots that moves.
Rendered render_preview(const Json& answer, bool colour);
// A line for each event; no heading, so that what follows can be added.
Rendered render_event_lines(const Json& answer, bool colour);
// An object a line.
Rendered render_event_objects(const Json& answer);

// Any answer as JSON, indented, in ASCII: nothing in it can steer a terminal.
std::string render_json(const Json& answer);

}  // namespace maglb::ctl
