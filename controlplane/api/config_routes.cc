#include "controlplane/api/config_routes.h"

#include <fmt/format.h>

#include "controlplane/api/answer.h"
#include "controlplane/api/author.h"
#include "controlplane/api/objects.h"
#include "controlplane/api/query.h"
#include "controlplane/desired/preview.h"
#include "lib/config/service/diff.h"

namespace maglb {
namespace {

constexpr uint64_t kDefaultPage = 50;
constexpr uint64_t kMaxPage = 1000;
constexpr size_t kMaxRollbackBody = size_t{16} << 10;

Json who_object(const Who& who) {
  const bool process = who.pid != 0 || who.uid != 0;
  return {{"user", who.user},
          {"program", who.program},
          {"uid", process ? Json(who.uid) : Json(nullptr)},
          {"gid", process ? Json(who.gid) : Json(nullptr)},
          {"pid", process ? Json(who.pid) : Json(nullptr)}};
}

Json changes_array(const ServiceConfig& from, const ServiceConfig& to) {
  const auto or_null = [](const std::optional<std::string>& value) { return value ? Json(*value) : Json(); };
  Json list = Json::array();
  for (const ConfigChange& change : diff(from, to)) {
    list.push_back(
        {{"path", change.path}, {"before", or_null(change.before)}, {"after", or_null(change.after)}});
  }
  return list;
}

Json churn_array(const std::vector<PoolChurn>& pools) {
  Json list = Json::array();
  for (const PoolChurn& pool : pools) {
    const double share =
        pool.total == 0 ? 0 : static_cast<double>(pool.moved) / static_cast<double>(pool.total);
    list.push_back({{"pool", pool.pool}, {"moved", pool.moved}, {"slots", pool.total}, {"share", share}});
  }
  return list;
}

class ConfigRoutes {
 public:
  ConfigRoutes(Reconciler& reconciler, Publisher& publisher, DataplaneClient& client)
      : reconciler_(reconciler), publisher_(publisher), client_(client) {}

  ApiResponse list(const Api::Arguments& call) const;
  ApiResponse show(const Api::Arguments& call) const;
  ApiResponse compare(const Api::Arguments& call) const;
  ApiResponse try_out(const Api::Arguments& call) const;
  void roll_back(const Api::Arguments& call, Respond respond) const;
  void confirm(const Api::Arguments& call, Respond respond) const;

 private:
  Json object(const Revision& revision) const;
  // Which document, by the words of a query: a revision's number, the running one, or the file.
  Accepted<ServiceConfig> document(const std::string& which) const;
  Accepted<ServiceConfig> revision(uint64_t number) const;
  ApiResponse difference(const std::string& from, const ServiceConfig& before, const std::string& to,
                         const ServiceConfig& after) const;
  void answer(const Accepted<Applied>& applied, Respond respond) const;

  Reconciler& reconciler_;
  Publisher& publisher_;
  DataplaneClient& client_;
};

Json ConfigRoutes::object(const Revision& revision) const {
  const auto& pending = reconciler_.unconfirmed();
  const bool unconfirmed = pending && pending->revision == revision.number;
  return {{"revision", revision.number},
          {"at", seconds_since_1970(revision.at)},
          {"source", revision.source == DocumentSource::kFile ? "file" : "runtime"},
          {"who", who_object(revision.author.who)},
          {"why", revision.author.why},
          {"size", revision.size},
          {"running", revision.number == reconciler_.document().revision},
          {"confirm_by", unconfirmed ? Json(seconds_since_1970(pending->deadline)) : Json(nullptr)}};
}

ApiResponse ConfigRoutes::list(const Api::Arguments& call) const {
  const auto limit = number_parameter(call.target, "limit", kDefaultPage, kMaxPage);
  const auto before = number_parameter(call.target, "before", INT64_MAX, INT64_MAX);
  if (!limit || !before) {
    return error_response(limit ? before.error() : limit.error());
  }
  const auto revisions = reconciler_.store().revisions(*before, *limit);
  if (!revisions) {
    return error_response(revisions.error());
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
    return error_response(revision.error());
  }
  Json shown = object(*revision);
  const auto text = reconciler_.store().revision_text(*number);
  shown["document"] = text ? Json(*text) : Json(nullptr);
  const auto before = this->revision(*number - 1);
  const auto after = this->revision(*number);
  shown["changes"] = before && after ? changes_array(*before, *after) : Json(nullptr);
  return json_response(shown);
}

Accepted<ServiceConfig> ConfigRoutes::revision(uint64_t number) const {
  const auto text = reconciler_.store().revision_text(number);
  return text ? read_document(*text, fmt::format("revision {}", number)) : refuse(text.error());
}

Accepted<ServiceConfig> ConfigRoutes::document(const std::string& which) const {
  if (which == "running") {
    return reconciler_.listed();
  }
  if (which == "file") {
    const auto text = read_whole_file(reconciler_.config_file());
    return text ? read_document(*text, reconciler_.config_file()) : refuse(text.error());
  }
  const auto number = parse_number(which);
  return number ? revision(*number)
                : refuse({ErrorKind::kInvalid,
                          fmt::format("'{}' is no document: expected a revision's number, running or file",
                                      which)});
}

ApiResponse ConfigRoutes::difference(const std::string& from, const ServiceConfig& before,
                                     const std::string& to, const ServiceConfig& after) const {
  const auto is_healthy = [this](std::string_view pool, std::string_view name) {
    return reconciler_.is_healthy(pool, name);
  };
  return json_response(
      {{"from", from},
       {"to", to},
       {"changes", changes_array(before, after)},
       {"pools", churn_array(preview(reconciler_.joined(before), reconciler_.joined(after), is_healthy))}});
}

ApiResponse ConfigRoutes::compare(const Api::Arguments& call) const {
  const std::string from = text_parameter(call.target, "from", "file");
  const std::string to = text_parameter(call.target, "to", "running");
  const auto before = document(from);
  const auto after = document(to);
  if (!before || !after) {
    return error_response(before ? after.error() : before.error());
  }
  return difference(from, *before, to, *after);
}

ApiResponse ConfigRoutes::try_out(const Api::Arguments& call) const {
  const auto config = read_document(call.request.body, "document");
  return config ? difference("running", reconciler_.listed(), "document", *config)
                : error_response(config.error());
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
    return respond(error_response(author.error()));
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
                           ApiResponse (ConfigRoutes::*make)(const Api::Arguments&) const,
                           RouteRules rules = {}) {
    const auto serve = [routes, make](const Api::Arguments& call, const Respond& respond) {
      respond(((*routes).*make)(call));
    };
    api.add(method, path, serve, rules);
  };
  const auto later = [&](const char* path, void (ConfigRoutes::*make)(const Api::Arguments&, Respond) const) {
    const auto serve = [routes, make](const Api::Arguments& call, Respond respond) {
      ((*routes).*make)(call, std::move(respond));
    };
    api.add("POST", path, serve, {Tagged::kDocument, false});
  };
  at_once("GET", "/v1/config/revisions", &ConfigRoutes::list);
  at_once("GET", "/v1/config/revisions/*", &ConfigRoutes::show);
  at_once("GET", "/v1/config/diff", &ConfigRoutes::compare);
  at_once("POST", "/v1/config/diff", &ConfigRoutes::try_out, {Tagged::kNo, false});
  later("/v1/config/rollback", &ConfigRoutes::roll_back);
  later("/v1/config/confirm", &ConfigRoutes::confirm);
}

}  // namespace maglb
