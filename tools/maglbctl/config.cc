#include <unistd.h>

#include <fmt/format.h>

#include "lib/config/service/parse.h"
#include "lib/yaml/text.h"
#include "tools/maglbctl/command.h"
#include "tools/maglbctl/document.h"
#include "tools/maglbctl/history.h"
#include "tools/maglbctl/query.h"
#include "tools/maglbctl/refusal.h"
#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {
namespace {

constexpr const char* kStays = "refused; the running configuration stays as it was";

Failure refused(const yaml::Problems& problems, const std::string& document) {
  Failure failure;
  failure.code = ExitCode::kInvalidConfig;
  failure.document = document;
  for (const yaml::Problem& problem : problems.list()) {
    failure.positions.push_back({problem.mark.line, problem.mark.column, escaped(problem.message)});
  }
  return failure;
}

// Judged here, by the parser that the control plane has too: needs no daemon.
Outcome<std::string> check(const Session& session, const std::string& file) {
  const auto document = read_document(file);
  if (!document) {
    return tl::unexpected(document.error());
  }
  const auto config = parse_service_config(document->text, document->name);
  if (!config) {
    return tl::unexpected(refused(config.error(), document->name));
  }
  std::size_t backends = 0;
  for (const PoolConfig& pool : config->pools) {
    backends += pool.backends.size();
  }
  const Json valid = {{"valid", true},
                      {"services", config->services.size()},
                      {"pools", config->pools.size()},
                      {"backends", backends}};
  return shown(session, valid, [&](const Json& answer) { return render_check(document->name, answer); });
}

// Judged by the running control plane, which may be of another version than this tool.
Outcome<std::string> check_by_daemon(const Session& session, const std::string& file) {
  const auto document = read_document(file);
  if (!document) {
    return tl::unexpected(document.error());
  }
  const auto answer = session.client.send_document("POST", "/v1/config/check", document->text);
  if (!answer) {
    return tl::unexpected(refused(answer.error(), document->name, ""));
  }
  return shown(session, answer, [&](const Json& valid) { return render_check(document->name, valid); });
}

// The file that the daemon itself reads, for messages about it.
std::string daemons_file(const Session& session) {
  const auto status = session.client.get("/v1/status");
  const std::string file = status ? text(member(*status, "config"), "file") : "-";
  return file == "-" ? "the daemon's file" : file;
}

Outcome<std::string> reload(const Session& session, const std::string& reason) {
  const auto answer =
      session.client.change("POST", with_query("/v1/config/reload", {{"reason", reason}}), Json());
  if (!answer && answer.error().code == ExitCode::kInvalidConfig) {
    return tl::unexpected(refused(answer.error(), daemons_file(session), kStays));
  }
  return shown(session, answer, [](const Json& applied) { return render_applied("reload", applied); });
}

struct ApplyArguments {
  std::string file;
  std::shared_ptr<std::string> reason;
  std::string confirm_within;
  bool dry_run = false;
};

Outcome<std::string> apply_file(const Session& session, const ApplyArguments& given) {
  const auto document = read_document(given.file);
  if (!document) {
    return tl::unexpected(document.error());
  }
  const std::string apply =
      with_query("/v1/config", {{"reason", *given.reason}, {"confirm_within", given.confirm_within}});
  const auto answer = given.dry_run ? session.client.send_document("POST", "/v1/config/diff", document->text)
                                    : session.client.send_document("PUT", apply, document->text);
  if (!answer) {
    return tl::unexpected(refused(answer.error(), document->name, kStays));
  }
  return shown(session, answer, [&](const Json& applied) {
    return given.dry_run ? render_changes(applied, session.colour) : render_applied(document->name, applied);
  });
}

// As it is, so that it can be applied again; but a terminal gets each line escaped.
std::string document_shown(const std::string& yaml) {
  if (isatty(STDOUT_FILENO) == 0) {
    return yaml;
  }
  std::string out;
  std::size_t at = 0;
  while (at < yaml.size()) {
    const std::size_t end = std::min(yaml.find('\n', at), yaml.size());
    out += escaped(std::string_view(yaml).substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return out;
}

Outcome<std::string> show(const Session& session) {
  const auto yaml = session.client.get_text("/v1/config");
  if (!yaml) {
    return tl::unexpected(yaml.error());
  }
  const auto data = as_data(session, Json{{"document", *yaml}});
  return data ? *data : document_shown(*yaml);
}

Outcome<std::string> show_revision(const Session& session, uint64_t revision) {
  return shown(session, session.client.get(fmt::format("/v1/config/revisions/{}", revision)),
               [](const Json& answer) -> Rendered {
                 const Json& document = member(answer, "document");
                 if (!document.is_string()) {
                   return fail(ErrorKind::kNotFound,
                               "the document of this revision was forgotten for its size");
                 }
                 return document_shown(document.get<std::string>());
               });
}

// The bounds of confirm_within (docs/api.md).
std::string refuse_probation(std::string& text) {
  const auto time = yaml::parse_duration(text);
  return time && !text.ends_with("ms") && *time >= std::chrono::seconds(1) && *time <= std::chrono::hours(24)
             ? ""
             : fmt::format("'{}' is not 1s to 24h, as in 300s or 5m", escaped(text));
}

using FileAction = Outcome<std::string> (*)(const Session&, const std::string&);

void add_check(CLI::App& noun, Action& chosen) {
  struct Arguments {
    std::string file;
    bool daemon = false;
  };
  CLI::App& verb =
      add_verb(noun, "check",
               {.description = "Is this file a valid configuration; changes nothing",
                .arguments = "FILE",
                .examples = {"config check maglb.yaml", "config check --daemon - < maglb.yaml"}});
  auto given = std::make_shared<Arguments>();
  verb.add_option("FILE", given->file)->required();
  verb.add_flag("--daemon", given->daemon, "Ask the running control plane; without it none is needed");
  verb.callback([&chosen, given] {
    const FileAction run = given->daemon ? check_by_daemon : check;
    chosen = [given, run](const Session& session) { return run(session, given->file); };
  });
}

void add_apply(CLI::App& noun, Action& chosen) {
  CLI::App& verb = add_verb(
      noun, "apply",
      {.description = "Makes this file the running configuration, all of it or nothing",
       .arguments = "FILE",
       .examples = {"config apply maglb.yaml", "config show | sed s/web1/web9/ | maglbctl config apply -"}});
  auto given = std::make_shared<ApplyArguments>();
  verb.add_option("FILE", given->file)->required();
  given->reason = add_reason(verb);
  verb.add_option("--confirm-within", given->confirm_within,
                  "Goes back by itself unless 'config confirm' comes in time: 1s to 24h, as 5m")
      ->check(CLI::Validator(refuse_probation, ""))
      ->option_text("TIME");
  verb.add_flag("--dry-run", given->dry_run, "Only tell what would change");
  verb.callback(
      [&chosen, given] { chosen = [given](const Session& session) { return apply_file(session, *given); }; });
}

void add_show(CLI::App& noun, Action& chosen) {
  CLI::App& verb =
      add_verb(noun, "show",
               {.description = "The running configuration with the changes made at run time, or a revision",
                .arguments = "[N]",
                .examples = {"config show", "config show > maglb.yaml", "config show 12"}});
  auto revision = std::make_shared<uint64_t>(0);
  verb.add_option("N", *revision)->check(kRevision);
  verb.callback([&chosen, revision] {
    chosen = [revision](const Session& session) {
      return *revision == 0 ? show(session) : show_revision(session, *revision);
    };
  });
}

void add_reload(CLI::App& noun, Action& chosen) {
  CLI::App& verb = add_verb(noun, "reload",
                            {.description = "Lets the control plane read its own file again, as SIGHUP does",
                             .arguments = "",
                             .examples = {"config reload", "config reload --reason \"more servers\""}});
  auto reason = add_reason(verb);
  verb.callback(
      [&chosen, reason] { chosen = [reason](const Session& session) { return reload(session, *reason); }; });
}

}  // namespace

void add_config(CLI::App& root, Action& chosen) {
  CLI::App& noun = add_noun(root, "config", "The document that says what maglb serves");
  add_check(noun, chosen);
  add_history_verbs(noun, chosen);
  add_apply(noun, chosen);
  add_show(noun, chosen);
  add_reload(noun, chosen);
}

}  // namespace maglb::ctl
