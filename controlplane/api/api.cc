#include "controlplane/api/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "controlplane/api/author.h"
#include "controlplane/api/backend_body.h"
#include "controlplane/api/metrics.h"
#include "controlplane/api/objects.h"
#include "controlplane/api/query.h"
#include "lib/ipc/convert.h"

namespace maglb {
namespace {

constexpr std::chrono::milliseconds kFlowTimeout{2000};

ApiResponse json_response(const Json& object, unsigned status = 200) {
  // Names from a document are ASCII; a probe's reason may hold what a server sent.
  return {status, "application/json", object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

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

Result<std::string> parameter(const Target& target, const char* name) {
  const auto found = target.query.find(name);
  if (found == target.query.end()) {
    return fail(ErrorKind::kInvalid, fmt::format("parameter {} is missing", name));
  }
  return found->second;
}

Result<IpAddress> address_parameter(const Target& target, const char* name) {
  const auto text = parameter(target, name);
  if (!text) {
    return tl::unexpected(text.error());
  }
  auto address = IpAddress::parse(*text);
  if (!address) {
    return tl::unexpected(std::move(address.error()).within(name));
  }
  return *address;
}

Result<uint16_t> port_parameter(const Target& target, const char* name) {
  const auto text = parameter(target, name);
  if (!text) {
    return tl::unexpected(text.error());
  }
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), port);
  if (error != std::errc() || end != text->data() + text->size()) {
    return fail(ErrorKind::kInvalid, fmt::format("{}: expected a number in 0..65535", name));
  }
  return port;
}

Result<FlowQuery> flow_query(const Target& target) {
  const auto protocol = parameter(target, "protocol");
  if (!protocol || (*protocol != "tcp" && *protocol != "udp")) {
    return fail(ErrorKind::kInvalid, "protocol: expected tcp or udp");
  }
  const auto source = address_parameter(target, "source");
  const auto destination = address_parameter(target, "destination");
  if (!source || !destination) {
    return tl::unexpected(source ? destination.error() : source.error());
  }
  if (source->is_v4() != destination->is_v4()) {
    return fail(ErrorKind::kInvalid, "source and destination: expected addresses of one family");
  }
  const auto source_port = port_parameter(target, "source_port");
  const auto destination_port = port_parameter(target, "destination_port");
  if (!source_port || !destination_port) {
    return tl::unexpected(source_port ? destination_port.error() : source_port.error());
  }
  return FlowQuery{*protocol == "tcp" ? Protocol::kTcp : Protocol::kUdp, *source, *destination, *source_port,
                   *destination_port};
}

}  // namespace

ApiResponse error_response(unsigned status, const char* kind, const std::string& message) {
  return json_response({{"error", {{"kind", kind}, {"message", message}}}}, status);
}

ApiResponse error_response(const Refusal& refusal) {
  constexpr std::pair<const char*, unsigned> kKinds[] = {
      {"invalid", 400}, {"not_found", 404}, {"conflict", 409}, {"unavailable", 503}, {"system", 500}};
  const auto& [kind, status] = kKinds[static_cast<size_t>(refusal.error.kind)];
  Json error = {{"kind", kind}, {"message", refusal.error.message}};
  if (!refusal.positions.empty()) {
    Json& positions = error["positions"] = Json::array();
    for (const Position& position : refusal.positions) {
      positions.push_back(
          {{"line", position.line}, {"column", position.column}, {"message", position.message}});
    }
  }
  return json_response({{"error", std::move(error)}}, status);
}

Api::Api(Reconciler& reconciler, Publisher& publisher, DataplaneClient& client, StatsCache& stats)
    : reconciler_(reconciler), publisher_(publisher), client_(client), stats_(stats) {}

const std::vector<Api::Route>& Api::routes() {
  static const std::vector<Route> kRoutes = {
      {"GET", "/v1/status", &Api::get_status},
      {"GET", "/v1/services", &Api::get_services},
      {"GET", "/v1/services/*", &Api::get_service},
      {"GET", "/v1/pools", &Api::get_pools},
      {"GET", "/v1/pools/*", &Api::get_pool},
      {"GET", "/v1/pools/*/backends", &Api::get_pool_backends},
      {"POST", "/v1/pools/*/backends", &Api::add_backend},
      {"GET", "/v1/backends", &Api::get_backends},
      {"GET", "/v1/pools/*/backends/*", &Api::get_backend},
      {"PATCH", "/v1/pools/*/backends/*", &Api::patch_backend},
      {"DELETE", "/v1/pools/*/backends/*", &Api::remove_backend},
      {"GET", "/v1/config", &Api::get_config},
      {"PUT", "/v1/config", &Api::put_config},
      {"POST", "/v1/config/check", &Api::check_config},
      {"POST", "/v1/config/reload", &Api::reload_config},
      {"GET", "/v1/flows/lookup", &Api::look_up_flow},
      {"GET", "/v1/flows/summary", &Api::summarize_flows},
      {"GET", "/v1/stats", &Api::get_stats},
      {"GET", "/metrics", &Api::get_metrics},
      {"GET", "/livez", &Api::get_livez},
      {"GET", "/readyz", &Api::get_readyz},
  };
  return kRoutes;
}

void Api::add(const char* method, const char* path, Answer answer) {
  added_.push_back({method, path, std::move(answer)});
}

void Api::handle(const ApiRequest& request, Respond respond) {
  const auto target = Target::parse(request.target);
  if (!target) {
    return respond(error_response(400, "invalid", "the target of the request cannot be read"));
  }
  // HEAD is GET without the body, which the server leaves away.
  const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
  bool known = false;
  for (const Route& route : routes()) {
    auto names = match(route.path, target->path);
    if (names && method == route.method) {
      Call call{request, *target, std::move(*names), std::move(respond)};
      return (this->*route.handler)(call);
    }
    known = known || names.has_value();
  }
  for (const AddedRoute& route : added_) {
    const auto names = match(route.path, target->path);
    if (names && method == route.method) {
      return route.answer({request, *target, *names}, std::move(respond));
    }
    known = known || names.has_value();
  }
  if (known) {
    return respond(
        error_response(405, "invalid", fmt::format("{} is not a method of {}", method, request.target)));
  }
  respond(error_response(404, "not_found", "there is nothing at this path; docs/api.md lists what is"));
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
    return backend == nullptr
               ? error_response(404, "not_found", fmt::format("pool {} has no backend {}", pool.name, name))
               : json_response(backend_object(from, pool, *backend), status);
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
    return call.respond(error_response(Refusal{backend.error(), {}}));
  }
  const auto author = author_of(call.request.peer, call.target);
  if (!author) {
    return call.respond(error_response(Refusal{author.error(), {}}));
  }
  after(call, reconciler_.add_backend(call.names[0], *backend, *author),
        [pool = call.names[0], name = backend->name](const Sources& from) {
          return of_backend(from, pool, name, 201);
        });
}

void Api::patch_backend(Call& call) {
  const auto patch = parse_backend_patch(call.request.body);
  if (!patch) {
    return call.respond(error_response(Refusal{patch.error(), {}}));
  }
  const auto author = author_of(call.request.peer, call.target);
  if (!author) {
    return call.respond(error_response(Refusal{author.error(), {}}));
  }
  after(call, reconciler_.patch_backend(call.names[0], call.names[1], *patch, *author),
        [names = call.names](const Sources& from) { return of_backend(from, names[0], names[1]); });
}

void Api::remove_backend(Call& call) {
  const auto author = author_of(call.request.peer, call.target);
  if (!author) {
    return call.respond(error_response(Refusal{author.error(), {}}));
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
    return call.respond(error_response(Refusal{author ? within.error() : author.error(), {}}));
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
    return call.respond(error_response(Refusal{author.error(), {}}));
  }
  const auto applied = reconciler_.reload(*author);
  after(call, applied,
        [applied](const Sources& from) { return json_response(applied_object(from, *applied)); });
}

void Api::look_up_flow(Call& call) {
  const auto query = flow_query(call.target);
  if (!query) {
    return call.respond(error_response(Refusal{query.error(), {}}));
  }
  ipc::Envelope envelope;
  to_message(*query, *envelope.mutable_flow_lookup());
  client_.request(std::move(envelope), kFlowTimeout,
                  [this, respond = call.respond](const Result<ipc::Envelope>& reply) {
                    if (!reply) {
                      respond(error_response(Refusal{reply.error(), {}}));
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
                                  : error_response(Refusal{reply.error(), {}}));
                  });
}

void Api::get_stats(Call& call) {
  with_stats(call, [](const Sources& from) { return json_response(stats_object(from.stats)); });
}

void Api::get_metrics(Call& call) {
  with_stats(call, [](const Sources& from) {
    return ApiResponse{200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(from)};
  });
}

void Api::get_livez(Call& call) {
  call.respond(text_response("ok\n"));
}

void Api::get_readyz(Call& call) {
  const std::string why = why_not_ready(publisher_, client_);
  call.respond(why.empty() ? text_response("ok\n") : text_response(why + "\n", 503));
}

}  // namespace maglb
