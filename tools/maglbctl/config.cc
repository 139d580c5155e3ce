#include <unistd.h>

#include <fmt/format.h>

#include "tools/maglbctl/command.h"
#include "tools/maglbctl/document.h"
#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {
namespace {

// A refusal of `document`, with the places that are wrong in front of what it means.
Failure refused(Failure failure, const std::string& document, const std::string& meaning) {
  if (failure.code != ExitCode::kInvalidConfig) {
    return failure;
  }
  failure.document = document;
  failure.message =
      failure.positions.empty() ? fmt::format("{}: {}", escaped(document), failure.message) : "";
  if (!meaning.empty()) {
    failure.message += (failure.message.empty() ? "" : "\n") + meaning;
  }
  return failure;
}

constexpr const char* kStays = "refused; the running configuration stays as it was";

Outcome<std::string> check(const Session& session, const std::string& file) {
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

Outcome<std::string> reload(const Session& session) {
  const auto answer = session.client.change("POST", "/v1/config/reload", Json());
  if (!answer && answer.error().code == ExitCode::kInvalidConfig) {
    return tl::unexpected(refused(answer.error(), daemons_file(session), kStays));
  }
  return shown(session, answer, [](const Json& applied) { return render_applied("reload", applied); });
}

Outcome<std::string> apply(const Session& session, const std::string& file) {
  const auto document = read_document(file);
  if (!document) {
    return tl::unexpected(document.error());
  }
  const auto answer = session.client.send_document("PUT", "/v1/config", document->text);
  if (!answer) {
    return tl::unexpected(refused(answer.error(), document->name, kStays));
  }
  return shown(session, answer, [&](const Json& applied) { return render_applied(document->name, applied); });
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
  return session.json ? render_json(Json{{"document", *yaml}}) : document_shown(*yaml);
}

void add_file_verb(CLI::App& noun, Action& chosen, const std::string& name, const Help& help,
                   Outcome<std::string> (*run)(const Session&, const std::string&)) {
  CLI::App& verb = add_verb(noun, name, help);
  auto file = std::make_shared<std::string>();
  verb.add_option("FILE", *file)->required();
  verb.callback(
      [&chosen, file, run] { chosen = [file, run](const Session& session) { return run(session, *file); }; });
}

void add_plain_verb(CLI::App& noun, Action& chosen, const std::string& name, const Help& help,
                    Outcome<std::string> (*run)(const Session&)) {
  add_verb(noun, name, help).callback([&chosen, run] { chosen = run; });
}

}  // namespace

void add_config(CLI::App& root, Action& chosen) {
  CLI::App& noun = add_noun(root, "config", "The document that says what maglb serves");
  add_file_verb(noun, chosen, "check",
                {.description = "Is this file a valid configuration; changes nothing",
                 .arguments = "FILE",
                 .examples = {"config check maglb.yaml", "config check - < maglb.yaml"}},
                check);
  add_file_verb(
      noun, chosen, "apply",
      {.description = "Makes this file the running configuration, all of it or nothing",
       .arguments = "FILE",
       .examples = {"config apply maglb.yaml", "config show | sed s/web1/web9/ | maglbctl config apply -"}},
      apply);
  add_plain_verb(noun, chosen, "show",
                 {.description = "The running configuration, with the changes made at run time",
                  .arguments = "",
                  .examples = {"config show", "config show > maglb.yaml"}},
                 show);
  add_plain_verb(noun, chosen, "reload",
                 {.description = "Lets the control plane read its own file again, as SIGHUP does",
                  .arguments = "",
                  .examples = {"config reload"}},
                 reload);
}

}  // namespace maglb::ctl
