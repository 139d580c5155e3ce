// What each call of docs/api.md does. Knows no sockets.
//
// Threads: the io_context's one.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "controlplane/api/message.h"
#include "controlplane/api/target.h"
#include "controlplane/desired/reconciler.h"
#include "controlplane/publish/client.h"
#include "controlplane/publish/publisher.h"
#include "controlplane/publish/stats.h"

namespace maglb {

class Api {
 public:
  // A change is acknowledged once the dataplane runs it, but not later than this: it is committed by then.
  static constexpr std::chrono::milliseconds kSettleTimeout{1000};

  Api(Reconciler& reconciler, Publisher& publisher, DataplaneClient& client, StatsCache& stats);

  // What a call of another file gets. `names`: what stood where the path has a *.
  struct Arguments {
    const ApiRequest& request;
    const Target& target;
    const std::vector<std::string>& names;
  };
  using Answer = std::function<void(const Arguments&, Respond)>;
  // Adds a call beside those here. REQUIRES: no other has this method and path.
  void add(const char* method, const char* path, Answer answer);

  void handle(const ApiRequest& request, Respond respond);

 private:
  struct AddedRoute {
    const char* method;
    const char* path;
    Answer answer;
  };
  struct Call {
    const ApiRequest& request;
    const Target& target;
    std::vector<std::string> names;  // what stood where the route has a *
    Respond respond;
  };
  using Handler = void (Api::*)(Call&);
  struct Route {
    const char* method;
    const char* path;
    Handler handler;
  };
  static const std::vector<Route>& routes();

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
  std::vector<AddedRoute> added_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace maglb
