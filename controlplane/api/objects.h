// The objects of docs/api.md, from what the reconciler wants and the dataplane counts.
#pragma once

#include <chrono>

#include "controlplane/api/answer.h"
#include "controlplane/desired/reconciler.h"
#include "controlplane/publish/client.h"
#include "controlplane/publish/heard_stats.h"
#include "controlplane/publish/publisher.h"
#include "lib/ipc/messages.h"

namespace maglb {

// What every object is made of. `stats` is null while the dataplane is not connected.
struct Sources {
  const Reconciler& reconciler;
  const Publisher& publisher;
  const DataplaneClient& client;
  const HeardStats* stats;
  std::chrono::steady_clock::time_point started;
};

Json status_object(const Sources& from);
Json services_object(const Sources& from);
Json pools_object(const Sources& from);
Json all_backends_object(const Sources& from);
Json stats_object(const HeardStats* stats);

// REQUIRES: the service, pool or backend is in the reconciler's configuration.
Json service_object(const Sources& from, const ServiceEntry& service);
Json pool_object(const Sources& from, const PoolConfig& pool);
Json backends_object(const Sources& from, const PoolConfig& pool);
Json backend_object(const Sources& from, const PoolConfig& pool, const BackendConfig& backend);

Json applied_object(const Sources& from, const Applied& applied);
Json flow_lookup_object(const Reconciler& reconciler, const ipc::FlowLookupReply& reply);
Json flow_summary_object(const ipc::FlowSummary& summary);

// The words of the API.
std::string_view to_string(BackendState state);
std::string_view to_string(ProbeOpinion health);

// Why the dataplane does not run the wanted state; empty when it does.
std::string why_not_ready(const Publisher& publisher, const DataplaneClient& client);

}  // namespace maglb
