// GET /v1/events: what happened, page by page.
#pragma once

#include "controlplane/api/answer.h"
#include "controlplane/api/api.h"
#include "controlplane/events/event_log.h"

namespace maglb {

// One event, in a list and in a stream.
Json event_object(const Event& event);

// Both outlive `api`.
void add_event_routes(Api& api, const EventLog& events);

}  // namespace maglb
