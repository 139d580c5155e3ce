// GET /v1/explain: where a packet goes and why, asked of the dataplane.
#pragma once

#include "controlplane/api/api.h"

namespace maglb {

// `client` outlives `api`.
void add_explain_route(Api& api, DataplaneClient& client);

}  // namespace maglb
