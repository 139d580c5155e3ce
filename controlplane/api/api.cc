#include "controlplane/api/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "controlplane/api/answer.h"
#include "controlplane/api/author.h"
#include "controlplane/api/backend_body.h"
#include "controlplane/api/etag.h"
#include "controlplane/api/flow_query.h"
#include "controlplane/api/metrics.h"
#include "controlplane/api/objects.h"
#include "controlplane/api/openapi.h"
#include "controlplane/api/query.h"
#include "lib/ipc/convert.h"

namespace maglb {
namespace {

constexpr std::chrono::milliseconds kFlowTimeout{2000};

ApiResponse text_response(std::string text, unsigned status = 200) {
  return {status, "text/plain; charset=utf-8", std::move(text)};
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return segments;
}

// What stood for each * of the route; nothing when the path is another.
std::optional<std::vector<std::string>> match(std::string_view route, const std::vector<std::string>& path) {
  const auto segments = split(route);
  if (segments.size() != path.size()) {
    return std::nullopt;
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < path.size(); ++i) {
    if (segments[i] == "*") {
      names.push_back(path[i]);
    } else if (segments[i] != path[i]) {
      return std::nullopt;
    }
  }
  return names;
}

// With the option of the daemon that would give the right.
std::string why_forbidden(const Peer& peer, bool changes) {
  const bool by_certificate = peer.pid == 0 && peer.uid == UINT32_MAX;
  const std::string who = !by_certificate     ? fmt::format("user {}", peer.uid)
                          : peer.name.empty() ? "a certificate without a name"
                                              : peer.name;
  const char* const may = by_certificate ? "the names of --api-admin-name"
                          : changes      ? "root, maglb's own user and the group of --api-admin-group"
                                         : "root, maglb's own user and the groups of --api-read-group and "
                                           "--api-admin-group";
  return fmt::format("{} may not {}: {} may", who, changes ? "change this" : "read", may);
}

}  // namespace

Api::Api(Reconciler& reconciler, Publisher& publisher, DataplaneClient& client, StatsCache& stats,
         EventLog& events)
    : reconciler_(reconciler), publisher_(publisher), client_(client), stats_(stats), events_(events) {
  add_own_routes();
}

void Api::add_own_routes() {
  constexpr RouteRules kDocument{Tagged::kDocument, false};
  constexpr RouteRules kPool{Tagged::kPool, false};
  constexpr RouteRules kBackend{Tagged::kBackend, false};
  constexpr RouteRules kHarmless{Tagged::kNo, true};
  add_own("GET", "/v1/status", &Api::get_status);
  add_own("GET", "/v1/services", &Api::get_services);
  add_own("GET", "/v1/services/*", &Api::get_service);
  add_own("GET", "/v1/pools", &Api::get_pools, kDocument);
  add_own("GET", "/v1/pools/*", &Api::get_pool, kPool);
  add_own("GET", "/v1/pools/*/backends", &Api::get_pool_backends, kPool);
  add_own("POST", "/v1/pools/*/backends", &Api::add_backend, kPool);
  add_own("GET", "/v1/backends", &Api::get_backends, kDocument);
  add_own("GET", "/v1/pools/*/backends/*", &Api::get_backend, kBackend);
  add_own("PATCH", "/v1/pools/*/backends/*", &Api::patch_backend, kBackend);
  add_own("DELETE", "/v1/pools/*/backends/*", &Api::remove_backend, kBackend);
  add_own("GET", "/v1/config", &Api::get_config, kDocument);
  add_own("PUT", "/v1/config", &Api::put_config, kDocument);
  add_own("POST", "/v1/config/check", &Api::check_config, kHarmless);
  add_own("POST", "/v1/config/reload", &Api::reload_config, kDocument);
  add_own("GET", "/v1/flows/lookup", &Api::look_up_flow);
  add_own("GET", "/v1/flows/summary", &Api::summarize_flows);
  add_own("GET", "/v1/stats", &Api::get_stats);
  add_own("GET", "/v1/openapi.yaml", &Api::get_openapi);
  add_own("GET", "/metrics", &Api::get_metrics);
  add_own("GET", "/livez", &Api::get_livez);
  add_own("GET", "/readyz", &Api::get_readyz);
}

void Api::add_own(const char* method, const char* path, void (Api::*handler)(Call&), RouteRules rules) {
  routes_.push_back({method, path, [this, handler](Call& call) { (this->*handler)(call); }, rules});
}

void Api::add(const char* method, const char* path, Answer answer, RouteRules rules) {
  const auto serve = [answer = std::move(answer)](Call& call) {
    answer({call.request, call.target, call.names}, std::move(call.respond));
  };
  routes_.push_back({method, path, serve, rules});
}

std::vector<std::string> Api::calls() const {
  std::vector<std::string> calls;
  for (const Route& route : routes_) {
    calls.push_back(fmt::format("{} {}", route.method, route.path));
  }
  return calls;
}

Api::Found Api::find(std::string_view method, const Target& target) const {
  Found found;
  for (const Route& route : routes_) {
    auto names = match(route.path, target.path);
    if (!names) {
      continue;
    }
    found.allow += fmt::format("{}{}", found.allow.empty() ? "" : ", ", route.method);
    if (found.route == nullptr && method == route.method) {
      found.route = &route;
      found.names = std::move(*names);
    }
  }
  return found;
}

std::optional<ApiResponse> Api::refuse_access(const ApiRequest& request, const Route& route) const {
  const bool changes = std::string_view(route.method) != "GET" && !route.rules.harmless;
  const Access needed = changes ? Access::kAdmin : Access::kRead;
  if (request.peer.access >= needed) {
    return std::nullopt;
  }
  return error_response(403, "forbidden", why_forbidden(request.peer, changes));
}

std::optional<ApiResponse> Api::refuse_condition(const ApiRequest& request, const std::string& tag) const {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (!request.if_match.empty() && !names_strongly(request.if_match, tag)) {
    return error_response(412, "precondition",
                          fmt::format("it has changed since it was read: its tag is {} now", tag));
  }
  if (request.if_none_match.empty() || !names_weakly(request.if_none_match, tag)) {
    return std::nullopt;
  }
  return reads ? ApiResponse{304, "", "", tag}
               : error_response(412, "precondition", fmt::format("it is there, its tag is {}", tag));
}

std::string Api::tag_of(Tagged tagged, const std::vector<std::string>& names) {
  if (tagged == Tagged::kDocument) {
    if (tagged_revision_ != reconciler_.document().revision) {
      tagged_revision_ = reconciler_.document().revision;
      document_tag_ = document_tag(reconciler_.document().text);
    }
    return document_tag_;
  }
  const PoolConfig* pool = tagged == Tagged::kNo ? nullptr : find_pool(reconciler_.config(), names[0]);
  if (pool == nullptr || tagged == Tagged::kPool) {
    return pool == nullptr ? "" : pool_tag(*pool);
  }
  const BackendConfig* backend = find_backend(*pool, names[1]);
  return backend == nullptr ? "" : backend_tag(*backend);
}

void Api::handle(const ApiRequest& request, Respond respond) {
  const auto target = Target::parse(request.target);
  if (!target) {
    return respond(error_response(400, "invalid", "the target of the request cannot be read"));
  }
  // HEAD is GET without the body, which the server leaves away.
  const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
  Found found = find(method, *target);
  if (found.route == nullptr && !found.allow.empty()) {
    ApiResponse answer =
        error_response(405, "invalid", fmt::format("{} is not a method of {}", method, request.target));
    answer.allow = found.allow;
    return respond(std::move(answer));
  }
  if (found.route == nullptr) {
    return respond(
        error_response(404, "not_found", "there is nothing at this path; docs/api.md lists what is"));
  }
  if (auto refused = refuse_access(request, *found.route)) {
    return respond(std::move(*refused));
  }
  Call call{request, *target, std::move(found.names), std::move(respond)};
  if (const Tagged tagged = found.route->rules.tagged; tagged != Tagged::kNo) {
    // Of an object that is not there the call itself tells (RFC 9110, 13.2.1).
    const std::string tag = tag_of(tagged, call.names);
    if (auto refused = tag.empty() ? std::nullopt : refuse_condition(request, tag)) {
      return call.respond(std::move(*refused));
    }
    // Of what the call itself has made: until the answer goes others may have changed it again.
    const auto made = std::make_shared<std::optional<std::string>>();
    const std::vector<std::string> names = call.names;
    call.respond = [this, tagged, names, made, then = std::move(call.respond)](ApiResponse answer) {
      if (answer.status / 100 == 2 && answer.etag.empty()) {
        answer.etag = made->has_value() ? **made : tag_of(tagged, names);
      }
      then(std::move(answer));
    };
    found.route->serve(call);
    if (method != "GET") {
      *made = tag_of(tagged, names);
    }
    return;
  }
  found.route->serve(call);
}

template <typename Make>
void Api::with_stats(Call& call, Make make) {
  stats_.refresh([this, respond = call.respond, make] {
    respond(make(Sources{reconciler_, publisher_, client_, stats_.latest(), started_}));
  });
}

template <typename Make>
void Api::after(Call& call, const Accepted<Applied>& applied, Make make) {
  if (!applied) {
    return call.respond(error_response(applied.error()));
  }
  const uint64_t generation = applied->generation;
  publisher_.when_settled(generation, kSettleTimeout, [this, respond = call.respond, make, generation] {
    if (publisher_.refused(generation)) {
      return respond(error_response(
          409, "conflict",
          fmt::format("stored, but the dataplane refuses it and is asked again: {}", publisher_.refusal())));
    }
    respond(make(Sources{reconciler_, publisher_, client_, stats_.latest(), started_}));
  });
}

void Api::get_status(Call& call) {
  with_stats(call, [](const Sources& from) { return json_response(status_object(from)); });
}

void Api::get_services(Call& call) {
  with_stats(call, [](const Sources& from) { return json_response(services_object(from)); });
}

void Api::get_service(Call& call) {
  with_stats(call, [name = call.names[0]](const Sources& from) {
    const auto& services = from.reconciler.config().services;
    const auto found = std::find_if(services.begin(), services.end(),
                                    [&name](const ServiceEntry& service) { return service.name == name; });
    return found == services.end()
               ? error_response(404, "not_found", fmt::format("there is no service {}", name))
               : json_response(service_object(from, *found));
  });
}

void Api::get_pools(Call& call) {
  with_stats(call, [](const Sources& from) { return json_response(pools_object(from)); });
}

namespace {

// make(pool), or that there is none of this name.
template <typename Make>
ApiResponse of_pool(const Sources& from, const std::string& name, Make make) {
  const PoolConfig* pool = find_pool(from.reconciler.config(), name);
  return pool == nullptr ? error_response(404, "not_found", fmt::format("there is no pool {}", name))
                         : make(*pool);
}

ApiResponse of_backend(const Sources& from, const std::string& pool_name, const std::string& name,
                       unsigned status = 200) {
  return of_pool(from, pool_name, [&](const PoolConfig& pool) {
    const BackendConfig* backend = find_backend(pool, name);
    if (backend == nullptr) {
      return error_response(404, "not_found", fmt::format("pool {} has no backend {}", pool.name, name));
    }
    ApiResponse answer = json_response(backend_object(from, pool, *backend), status);
    answer.etag = backend_tag(*backend);
    return answer;
  });
}

}  // namespace

void Api::get_pool(Call& call) {
  with_stats(call, [name = call.names[0]](const Sources& from) {
    return of_pool(from, name,
                   [&](const PoolConfig& pool) { return json_response(pool_object(from, pool)); });
  });
}

void Api::get_pool_backends(Call& call) {
  with_stats(call, [name = call.names[0]](const Sources& from) {
    return of_pool(from, name,
                   [&](const PoolConfig& pool) { return json_response(backends_object(from, pool)); });
  });
}

void Api::get_backends(Call& call) {
  with_stats(call, [](const Sources& from) { return json_response(all_backends_object(from)); });
}

void Api::get_backend(Call& call) {
  with_stats(call,
             [names = call.names](const Sources& from) { return of_backend(from, names[0], names[1]); });
}

void Api::add_backend(Call& call) {
  const auto backend = parse_new_backend(call.request.body);
  if (!backend) {
    return call.respond(error_response(backend.error()));
  }
  const auto author = author_of(call.request.peer, call.target);
  if (!author) {
    return call.respond(error_response(author.error()));
  }
  after(call, reconciler_.add_backend(call.names[0], *backend, *author),
        [pool = call.names[0], name = backend->name](const Sources& from) {
          return of_backend(from, pool, name, 201);
        });
}

void Api::patch_backend(Call& call) {
  const auto patch = parse_backend_patch(call.request.body);
  if (!patch) {
    return call.respond(error_response(patch.error()));
  }
  const auto author = author_of(call.request.peer, call.target);
  if (!author) {
    return call.respond(error_response(author.error()));
  }
  after(call, reconciler_.patch_backend(call.names[0], call.names[1], *patch, *author),
        [names = call.names](const Sources& from) { return of_backend(from, names[0], names[1]); });
}

void Api::remove_backend(Call& call) {
  const auto author = author_of(call.request.peer, call.target);
  if (!author) {
    return call.respond(error_response(author.error()));
  }
  after(call, reconciler_.remove_backend(call.names[0], call.names[1], *author),
        [](const Sources&) { return json_response(Json::object()); });
}

void Api::get_config(Call& call) {
  call.respond({200, "application/yaml", reconciler_.document().text});
}

void Api::put_config(Call& call) {
  const auto author = author_of(call.request.peer, call.target);
  const auto within = confirm_within_parameter(call.target);
  if (!author || !within) {
    return call.respond(error_response(author ? within.error() : author.error()));
  }
  const auto applied = reconciler_.put_document(call.request.body, *author, *within);
  after(call, applied,
        [applied](const Sources& from) { return json_response(applied_object(from, *applied)); });
}

void Api::check_config(Call& call) {
  const auto config = read_document(call.request.body, "document");
  if (!config) {
    return call.respond(error_response(config.error()));
  }
  if (const auto allowed = reconciler_.allows_programs(*config); !allowed) {
    return call.respond(error_response(allowed.error()));
  }
  size_t backends = 0;
  for (const PoolConfig& pool : config->pools) {
    backends += pool.backends.size();
  }
  call.respond(json_response({{"valid", true},
                              {"services", config->services.size()},
                              {"pools", config->pools.size()},
                              {"backends", backends}}));
}

void Api::reload_config(Call& call) {
  const auto author = author_of(call.request.peer, call.target);
  if (!author) {
    return call.respond(error_response(author.error()));
  }
  const auto applied = reconciler_.reload(*author);
  after(call, applied,
        [applied](const Sources& from) { return json_response(applied_object(from, *applied)); });
}

void Api::look_up_flow(Call& call) {
  const auto query = flow_query(call.target);
  if (!query) {
    return call.respond(error_response(query.error()));
  }
  ipc::Envelope envelope;
  to_message(*query, *envelope.mutable_flow_lookup());
  client_.request(std::move(envelope), kFlowTimeout,
                  [this, respond = call.respond](const Result<ipc::Envelope>& reply) {
                    if (!reply) {
                      respond(error_response(reply.error()));
                    } else if (const auto& why = reply->flow_lookup_reply().error(); !why.empty()) {
                      respond(error_response(Error{ErrorKind::kUnavailable, why}));
                    } else if (!reply->flow_lookup_reply().service_found()) {
                      respond(error_response(404, "not_found", "no service matches the destination"));
                    } else {
                      respond(json_response(flow_lookup_object(reconciler_, reply->flow_lookup_reply())));
                    }
                  });
}

void Api::summarize_flows(Call& call) {
  ipc::Envelope envelope;
  envelope.mutable_flow_summary_request();
  client_.request(std::move(envelope), kFlowTimeout,
                  [respond = call.respond](const Result<ipc::Envelope>& reply) {
                    respond(reply ? json_response(flow_summary_object(reply->flow_summary()))
                                  : error_response(reply.error()));
                  });
}

void Api::get_stats(Call& call) {
  with_stats(call, [](const Sources& from) { return json_response(stats_object(from.stats)); });
}

void Api::get_metrics(Call& call) {
  with_stats(call, [this](const Sources& from) {
    return ApiResponse{200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(from, events_)};
  });
}

void Api::get_openapi(Call& call) {
  call.respond({200, "application/yaml", std::string(openapi_text())});
}

void Api::get_livez(Call& call) {
  call.respond(text_response("ok\n"));
}

void Api::get_readyz(Call& call) {
  const std::string why = why_not_ready(publisher_, client_);
  call.respond(why.empty() ? text_response("ok\n") : text_response(why + "\n", 503));
}

}  // namespace maglb
