// GET /v1/events: what happened, page by page.
#pragma once

#include "controlplane/api/api.h"
#include "controlplane/events/event_log.h"

namespace maglb {

// Both outlive `api`.
void add_event_routes(Api& api, const EventLog& events);

}  // namespace maglb
