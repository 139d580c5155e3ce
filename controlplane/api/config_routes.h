// The calls of /v1/config that look back and undo: revisions, differences, rollback, confirmation.
#pragma once

#include <boost/asio/io_context.hpp>

#include "controlplane/api/api.h"

namespace maglb {

// All outlive `api`. Differences are made on a thread of their own (side_thread.h).
void add_config_routes(Api& api, boost::asio::io_context& io, Reconciler& reconciler, Publisher& publisher,
                       DataplaneClient& client);

}  // namespace maglb
