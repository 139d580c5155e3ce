// The calls of /v1/config that look back and undo: revisions, differences, rollback, confirmation.
#pragma once

#include "controlplane/api/api.h"

namespace maglb {

// All outlive `api`.
void add_config_routes(Api& api, Reconciler& reconciler, Publisher& publisher, DataplaneClient& client);

}  // namespace maglb
