// What each call of docs/api.md does. Knows no sockets.
//
// Before a call is served: who asks may ask it (403), and what it changes or shows is what the caller saw
// (If-Match 412, If-None-Match 304). This is decided here, by the rules of the route, and by no call itself.
//
// Threads: the io_context's one.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/api/event_counts.h"
#include "controlplane/api/message.h"
#include "controlplane/api/target.h"
#include "controlplane/desired/reconciler.h"
#include "controlplane/publish/client.h"
#include "controlplane/publish/publisher.h"
#include "controlplane/publish/stats.h"

namespace maglb {

// Whose entity tag (etag.h) the answer carries and a condition is compared with. A pool's and a backend's
// names are those in the path.
enum class Tagged : uint8_t { kNo, kDocument, kPool, kBackend };
struct RouteRules {
  Tagged tagged = Tagged::kNo;
  bool harmless = false;  // changes nothing, though it is no GET
};

class Api {
 public:
  // A change is acknowledged once the dataplane runs it, but not later than this: it is committed by then.
  static constexpr std::chrono::milliseconds kSettleTimeout{1000};

  Api(Reconciler& reconciler, Publisher& publisher, DataplaneClient& client, StatsCache& stats,
      EventLog& events);

  // What a call of another file gets. `names`: what stood where the path has a *.
  struct Arguments {
    const ApiRequest& request;
    const Target& target;
    const std::vector<std::string>& names;
  };
  using Answer = std::function<void(const Arguments&, Respond)>;
  // Adds a call beside those here. REQUIRES: no other has this method and path.
  void add(const char* method, const char* path, Answer answer, RouteRules rules = {});
  // "GET /v1/pools/*", for whoever compares them with docs/openapi.yaml.
  std::vector<std::string> calls() const;

  void handle(const ApiRequest& request, Respond respond);

 private:
  struct Call {
    const ApiRequest& request;
    const Target& target;
    std::vector<std::string> names;  // what stood where the route has a *
    Respond respond;
  };
  struct Route {
    const char* method;
    const char* path;
    std::function<void(Call&)> serve;
    RouteRules rules;
  };
  struct Found {
    const Route* route = nullptr;
    std::vector<std::string> names;
    std::string allow;  // methods of the path; empty: there is none
  };

  void add_own(const char* method, const char* path, void (Api::*handler)(Call&), RouteRules rules = {});
  void add_own_routes();
  Found find(std::string_view method, const Target& target) const;
  std::optional<ApiResponse> refuse_access(const ApiRequest& request, const Route& route) const;
  std::optional<ApiResponse> refuse_condition(const ApiRequest& request, const std::string& tag) const;
  // Empty when the object is not there.
  std::string tag_of(Tagged tagged, const std::vector<std::string>& names);

  void get_status(Call& call);
  void get_services(Call& call);
  void get_service(Call& call);
  void get_pools(Call& call);
  void get_pool(Call& call);
  void get_pool_backends(Call& call);
  void get_backends(Call& call);
  void get_backend(Call& call);
  void add_backend(Call& call);
  void patch_backend(Call& call);
  void remove_backend(Call& call);
  void get_config(Call& call);
  void put_config(Call& call);
  void check_config(Call& call);
  void reload_config(Call& call);
  void look_up_flow(Call& call);
  void summarize_flows(Call& call);
  void get_stats(Call& call);
  void get_metrics(Call& call);
  void get_openapi(Call& call);
  void get_livez(Call& call);
  void get_readyz(Call& call);

  // Answers with make() once the counters are fresh, or as fresh as they get.
  template <typename Make>
  void with_stats(Call& call, Make make);
  // Answers with make() once the change is published, or with why it was refused.
  template <typename Make>
  void after(Call& call, const Accepted<Applied>& applied, Make make);

  Reconciler& reconciler_;
  Publisher& publisher_;
  DataplaneClient& client_;
  StatsCache& stats_;
  EventCounts events_;
  std::vector<Route> routes_;
  uint64_t tagged_revision_ = 0;  // whose document has document_tag_
  std::string document_tag_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace maglb
