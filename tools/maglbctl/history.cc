#include "tools/maglbctl/history.h"

#include <fmt/format.h>

#include "lib/yaml/text.h"
#include "tools/maglbctl/query.h"
#include "tools/maglbctl/refusal.h"
#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {
namespace {

void add_list(CLI::App& noun, Action& chosen) {
  CLI::App& verb =
      add_verb(noun, "history",
               {.description = "Every change that was accepted: who, when and why, the newest first",
                .arguments = "",
                .examples = {"config history", "config history --limit 10"}});
  auto limit = std::make_shared<uint32_t>(50);
  verb.add_option("--limit", *limit, "How many, up to 1000 [50]")
      ->check(CLI::Range(1, 1000))
      ->option_text("N");
  verb.callback([&chosen, limit] {
    chosen = [limit](const Session& session) {
      return shown(session, session.client.get(fmt::format("/v1/config/revisions?limit={}", *limit)),
                   [&](const Json& answer) { return render_revisions(answer, session.colour); });
    };
  });
}

std::string refuse_document(std::string& word) {
  const bool is_one = word == "running" || word == "file" || yaml::parse_integer(word).value_or(0) > 0;
  return is_one ? ""
                : fmt::format("'{}' is no document: expected a revision's number, running or file",
                              escaped(word));
}

void add_diff(CLI::App& noun, Action& chosen) {
  CLI::App& verb = add_verb(
      noun, "diff",
      {.description = "What is otherwise in another document (a revision, running, file), and what moves",
       .arguments = "[FROM [TO]]",
       .examples = {"config diff", "config diff 12", "config diff 12 14"}});
  auto words = std::make_shared<std::vector<std::string>>();
  verb.add_option("DOCUMENTS", *words)->expected(0, 2)->check(CLI::Validator(refuse_document, ""));
  verb.callback([&chosen, words] {
    chosen = [words](const Session& session) {
      const std::string from = words->empty() ? "file" : words->front();
      const std::string to = words->size() < 2 ? "running" : words->back();
      const auto answer = session.client.get(with_query("/v1/config/diff", {{"from", from}, {"to", to}}));
      if (!answer) {
        return Outcome<std::string>(tl::unexpected(refused_by_name(answer.error())));
      }
      return shown(session, answer,
                   [&](const Json& changes) { return render_changes(changes, session.colour); });
    };
  });
}

void add_rollback(CLI::App& noun, Action& chosen) {
  struct Arguments {
    uint64_t revision = 0;
    std::shared_ptr<std::string> reason;
  };
  CLI::App& verb =
      add_verb(noun, "rollback",
               {.description = "Makes an earlier revision the running configuration again",
                .arguments = "N",
                .examples = {"config rollback 12", "config rollback 12 --reason \"web5 was wrong\""}});
  auto given = std::make_shared<Arguments>();
  verb.add_option("N", given->revision)->required()->check(kRevision);
  given->reason = add_reason(verb);
  verb.callback([&chosen, given] {
    chosen = [given](const Session& session) {
      const Json wish = {{"revision", given->revision}, {"reason", *given->reason}};
      return shown(session, session.client.change("POST", "/v1/config/rollback", wish),
                   [](const Json& applied) { return render_applied("rollback", applied); });
    };
  });
}

void add_confirm(CLI::App& noun, Action& chosen) {
  add_verb(noun, "confirm",
           {.description = "Keeps the change that was applied with --confirm-within",
            .arguments = "",
            .examples = {"config confirm"}})
      .callback([&chosen] {
        chosen = [](const Session& session) {
          return shown(
              session, session.client.change("POST", "/v1/config/confirm", Json()), [](const Json& applied) {
                return Rendered(fmt::format("confirmed: revision {} stays\n", text(applied, "revision")));
              });
        };
      });
}

}  // namespace

void add_history_verbs(CLI::App& noun, Action& chosen) {
  add_list(noun, chosen);
  add_diff(noun, chosen);
  add_rollback(noun, chosen);
  add_confirm(noun, chosen);
}

}  // namespace maglb::ctl
