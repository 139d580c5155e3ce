#include "controlplane/api/config_routes.h"

#include <fmt/format.h>

#include "controlplane/api/answer.h"
#include "controlplane/api/author.h"
#include "controlplane/api/objects.h"
#include "controlplane/api/query.h"
#include "controlplane/api/side_thread.h"
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

// One of two documents that are compared: its text, or as it is known.
struct DocumentSide {
  std::string what;  // for the answer
  std::optional<ServiceConfig> config;
  std::string text;
  std::string name;  // of the text, in messages
};

Accepted<ServiceConfig> read_side(const DocumentSide& side) {
  return side.config ? *side.config : read_document(side.text, side.name);
}

class ConfigRoutes {
 public:
  ConfigRoutes(boost::asio::io_context& io, Reconciler& reconciler, Publisher& publisher,
               DataplaneClient& client)
      : reconciler_(reconciler), publisher_(publisher), client_(client), side_(io) {}

  ApiResponse list(const Api::Arguments& call) const;
  ApiResponse show(const Api::Arguments& call) const;
  void compare(const Api::Arguments& call, Respond respond);
  void try_out(const Api::Arguments& call, Respond respond);
  void roll_back(const Api::Arguments& call, Respond respond);
  void confirm(const Api::Arguments& call, Respond respond);

 private:
  Json object(const Revision& revision) const;
  // Which document, by the words of a query: a revision's number, the running one, or the file.
  Accepted<DocumentSide> document(const std::string& which) const;
  Accepted<ServiceConfig> revision(uint64_t number) const;
  // Reads and compiles beside the event loop.
  void differ(DocumentSide from, DocumentSide to, Respond respond);
  void answer(const Accepted<Applied>& applied, Respond respond) const;

  Reconciler& reconciler_;
  Publisher& publisher_;
  DataplaneClient& client_;
  SideThread side_;
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

Accepted<DocumentSide> ConfigRoutes::document(const std::string& which) const {
  if (which == "running") {
    return DocumentSide{which, reconciler_.listed(), "", ""};
  }
  if (which == "file") {
    const auto text = read_whole_file(reconciler_.config_file());
    return text ? Accepted<DocumentSide>(DocumentSide{which, {}, *text, reconciler_.config_file()})
                : refuse(text.error());
  }
  const auto number = parse_number(which);
  if (!number) {
    return refuse({ErrorKind::kInvalid,
                   fmt::format("'{}' is no document: expected a revision's number, running or file", which)});
  }
  const auto text = reconciler_.store().revision_text(*number);
  return text ? Accepted<DocumentSide>(DocumentSide{which, {}, *text, fmt::format("revision {}", *number)})
              : refuse(text.error());
}

void ConfigRoutes::differ(DocumentSide from, DocumentSide to, Respond respond) {
  auto job = [from = std::move(from), to = std::move(to), found = reconciler_.found(),
              is_healthy = reconciler_.health_now()] {
    const auto before = read_side(from);
    const auto after = read_side(to);
    if (!before || !after) {
      return error_response(before ? after.error() : before.error());
    }
    const auto churn = preview(with_members(*before, found), with_members(*after, found), is_healthy);
    return json_response({{"from", from.what},
                          {"to", to.what},
                          {"changes", changes_array(*before, *after)},
                          {"pools", churn_array(churn)}});
  };
  side_.run(std::move(job), std::move(respond));
}

void ConfigRoutes::compare(const Api::Arguments& call, Respond respond) {
  auto from = document(text_parameter(call.target, "from", "file"));
  auto to = document(text_parameter(call.target, "to", "running"));
  if (!from || !to) {
    return respond(error_response(from ? to.error() : from.error()));
  }
  differ(std::move(*from), std::move(*to), std::move(respond));
}

void ConfigRoutes::try_out(const Api::Arguments& call, Respond respond) {
  differ({"running", reconciler_.listed(), "", ""}, {"document", {}, call.request.body, "document"},
         std::move(respond));
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

void ConfigRoutes::roll_back(const Api::Arguments& call, Respond respond) {
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

void ConfigRoutes::confirm(const Api::Arguments& call, Respond respond) {
  answer(reconciler_.confirm({who_is(call.request.peer), ""}), std::move(respond));
}

}  // namespace

void add_config_routes(Api& api, boost::asio::io_context& io, Reconciler& reconciler, Publisher& publisher,
                       DataplaneClient& client) {
  const auto routes = std::make_shared<ConfigRoutes>(io, reconciler, publisher, client);
  const auto at_once = [&](const char* path, ApiResponse (ConfigRoutes::*make)(const Api::Arguments&) const) {
    const auto serve = [routes, make](const Api::Arguments& call, const Respond& respond) {
      respond(((*routes).*make)(call));
    };
    api.add("GET", path, serve);
  };
  const auto later = [&](const char* method, const char* path,
                         void (ConfigRoutes::*make)(const Api::Arguments&, Respond), RouteRules rules) {
    const auto serve = [routes, make](const Api::Arguments& call, Respond respond) {
      ((*routes).*make)(call, std::move(respond));
    };
    api.add(method, path, serve, rules);
  };
  constexpr RouteRules kDocument{Tagged::kDocument, false};
  at_once("/v1/config/revisions", &ConfigRoutes::list);
  at_once("/v1/config/revisions/*", &ConfigRoutes::show);
  later("GET", "/v1/config/diff", &ConfigRoutes::compare, {});
  // What a document that nobody has accepted may cost in memory is not a reader's to choose.
  later("POST", "/v1/config/diff", &ConfigRoutes::try_out, {});
  later("POST", "/v1/config/rollback", &ConfigRoutes::roll_back, kDocument);
  later("POST", "/v1/config/confirm", &ConfigRoutes::confirm, kDocument);
}

}  // namespace maglb
