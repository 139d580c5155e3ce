#include "controlplane/api/config_routes.h"

#include <fmt/format.h>

#include "controlplane/api/author.h"
#include "controlplane/api/objects.h"
#include "controlplane/api/query.h"
#include "controlplane/desired/preview.h"
#include "controlplane/desired/text_diff.h"

namespace maglb {
namespace {

constexpr uint64_t kDefaultPage = 50;
constexpr uint64_t kMaxPage = 1000;
constexpr size_t kMaxRollbackBody = size_t{16} << 10;

ApiResponse json_response(const Json& object) {
  return {200, "application/json", object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

ApiResponse refusal(const Error& error) {
  return error_response(Refusal{error, {}});
}

double to_seconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

Json who_object(const Who& who) {
  const bool process = who.pid != 0;
  return {{"user", who.user},
          {"program", who.program},
          {"uid", process ? Json(who.uid) : Json(nullptr)},
          {"gid", process ? Json(who.gid) : Json(nullptr)},
          {"pid", process ? Json(who.pid) : Json(nullptr)}};
}

// Which document, by the words of a query: a revision's number, the running one, or the file.
class Documents {
 public:
  explicit Documents(Reconciler& reconciler) : reconciler_(reconciler) {}

  Result<std::string> text(const std::string& which) {
    if (which == "running") {
      return reconciler_.document().text;
    }
    if (which == "file") {
      return read_whole_file(reconciler_.config_file());
    }
    const auto number = parse_number(which);
    if (!number) {
      return fail(ErrorKind::kInvalid,
                  fmt::format("'{}' is no document: expected a revision's number, running or file", which));
    }
    return reconciler_.store().revision_text(*number);
  }

 private:
  Reconciler& reconciler_;
};

class ConfigRoutes {
 public:
  ConfigRoutes(Reconciler& reconciler, Publisher& publisher, DataplaneClient& client)
      : reconciler_(reconciler), publisher_(publisher), client_(client) {}

  ApiResponse list(const Api::Arguments& call) const;
  ApiResponse show(const Api::Arguments& call) const;
  ApiResponse diff(const Api::Arguments& call) const;
  ApiResponse preview(const Api::Arguments& call) const;
  void roll_back(const Api::Arguments& call, Respond respond) const;
  void confirm(const Api::Arguments& call, Respond respond) const;

 private:
  Json object(const Revision& revision) const;
  void answer(const Accepted<Applied>& applied, Respond respond) const;

  Reconciler& reconciler_;
  Publisher& publisher_;
  DataplaneClient& client_;
};

Json ConfigRoutes::object(const Revision& revision) const {
  const auto& pending = reconciler_.unconfirmed();
  const bool unconfirmed = pending && pending->revision == revision.number;
  return {{"revision", revision.number},
          {"at", to_seconds(revision.at)},
          {"source", revision.source == DocumentSource::kFile ? "file" : "runtime"},
          {"who", who_object(revision.author.who)},
          {"why", revision.author.why},
          {"size", revision.size},
          {"running", revision.number == reconciler_.document().revision},
          {"confirm_by", unconfirmed ? Json(to_seconds(pending->deadline)) : Json(nullptr)}};
}

ApiResponse ConfigRoutes::list(const Api::Arguments& call) const {
  const auto limit = number_parameter(call.target, "limit", kDefaultPage, kMaxPage);
  const auto before = number_parameter(call.target, "before", INT64_MAX, INT64_MAX);
  if (!limit || !before) {
    return refusal(limit ? before.error() : limit.error());
  }
  const auto revisions = reconciler_.store().revisions(*before, *limit);
  if (!revisions) {
    return refusal(revisions.error());
  }
  Json list = Json::array();
  for (const Revision& revision : *revisions) {
    list.push_back(object(revision));
  }
  return json_response({{"revisions", std::move(list)}});
}

ApiResponse ConfigRoutes::show(const Api::Arguments& call) const {
  const auto number = parse_number(call.names[0]);
  if (!number) {
    return error_response(404, "not_found", "there is no such revision");
  }
  const auto revision = reconciler_.store().revision(*number);
  if (!revision) {
    return refusal(revision.error());
  }
  Json shown = object(*revision);
  const auto text = reconciler_.store().revision_text(*number);
  shown["document"] = text ? Json(*text) : Json(nullptr);
  const auto before = reconciler_.store().revision_text(*number - 1);
  shown["diff"] = text && before ? Json(text_diff(*before, *text)) : Json(nullptr);
  return json_response(shown);
}

ApiResponse ConfigRoutes::diff(const Api::Arguments& call) const {
  const std::string from = text_parameter(call.target, "from", "file");
  const std::string to = text_parameter(call.target, "to", "running");
  Documents documents(reconciler_);
  const auto old_text = documents.text(from);
  const auto new_text = documents.text(to);
  if (!old_text || !new_text) {
    return refusal(old_text ? new_text.error() : old_text.error());
  }
  return json_response({{"from", from}, {"to", to}, {"diff", text_diff(*old_text, *new_text)}});
}

ApiResponse ConfigRoutes::preview(const Api::Arguments& call) const {
  const auto config = read_document(call.request.body, "document");
  if (!config) {
    return error_response(config.error());
  }
  const auto pools = preview_pools(
      reconciler_.config(), reconciler_.joined(*config),
      [this](std::string_view pool, std::string_view name) { return reconciler_.is_healthy(pool, name); });
  Json list = Json::array();
  for (const PoolPreview& pool : pools) {
    list.push_back({{"pool", pool.pool}, {"change", pool.change}, {"moved", pool.moved}});
  }
  return json_response({{"from", "running"},
                        {"to", "document"},
                        {"changed", !(*config == reconciler_.listed())},
                        {"pools", std::move(list)},
                        {"diff", text_diff(reconciler_.document().text, call.request.body)}});
}

void ConfigRoutes::answer(const Accepted<Applied>& applied, Respond respond) const {
  if (!applied) {
    return respond(error_response(applied.error()));
  }
  publisher_.when_settled(
      applied->generation, Api::kSettleTimeout, [this, applied = *applied, respond = std::move(respond)] {
        respond(json_response(applied_object({reconciler_, publisher_, client_, nullptr, {}}, applied)));
      });
}

void ConfigRoutes::roll_back(const Api::Arguments& call, Respond respond) const {
  const std::string& body = call.request.body;
  const Json wish = body.size() > kMaxRollbackBody ? Json() : Json::parse(body, nullptr, false);
  const bool readable =
      wish.is_object() && wish.contains("revision") && wish["revision"].is_number_unsigned() &&
      (!wish.contains("reason") || wish["reason"].is_string()) && wish.size() == 1 + wish.count("reason");
  if (!readable) {
    return respond(error_response(400, "invalid", "expected {\"revision\": number, \"reason\"?: text}"));
  }
  const auto author = author_of(call.request.peer, wish.value("reason", std::string()));
  if (!author) {
    return respond(refusal(author.error()));
  }
  answer(reconciler_.roll_back(wish["revision"].get<uint64_t>(), *author), std::move(respond));
}

void ConfigRoutes::confirm(const Api::Arguments& call, Respond respond) const {
  answer(reconciler_.confirm({who_is(call.request.peer), ""}), std::move(respond));
}

}  // namespace

void add_config_routes(Api& api, Reconciler& reconciler, Publisher& publisher, DataplaneClient& client) {
  const auto routes = std::make_shared<const ConfigRoutes>(reconciler, publisher, client);
  const auto at_once = [&](const char* method, const char* path,
                           ApiResponse (ConfigRoutes::*make)(const Api::Arguments&) const) {
    api.add(method, path, [routes, make](const Api::Arguments& call, const Respond& respond) {
      respond(((*routes).*make)(call));
    });
  };
  at_once("GET", "/v1/config/revisions", &ConfigRoutes::list);
  at_once("GET", "/v1/config/revisions/*", &ConfigRoutes::show);
  at_once("GET", "/v1/config/diff", &ConfigRoutes::diff);
  at_once("POST", "/v1/config/diff", &ConfigRoutes::preview);
  api.add("POST", "/v1/config/rollback", [routes](const Api::Arguments& call, Respond respond) {
    routes->roll_back(call, std::move(respond));
  });
  api.add("POST", "/v1/config/confirm", [routes](const Api::Arguments& call, Respond respond) {
    routes->confirm(call, std::move(respond));
  });
}

}  // namespace maglb
