#include <fmt/format.h>

#include "lib/config/service/model.h"
#include "tools/maglbctl/command.h"
#include "tools/maglbctl/not_running.h"
#include "tools/maglbctl/query.h"
#include "tools/maglbctl/render/human.h"
#include "tools/maglbctl/watch.h"

namespace maglb::ctl {
namespace {

constexpr int kNameWords = 2;  // POOL NAME; POOL/NAME is one

std::string path_of(const BackendName& backend) {
  return fmt::format("/v1/pools/{}/backends/{}", backend.pool, backend.name);
}

uint32_t parse_weight(const std::string& word) {
  uint32_t weight = 0;
  if (!CLI::detail::lexical_cast(word, weight) || weight > kMaxWeight) {
    throw CLI::ValidationError(fmt::format("weight '{}' is not in 0..{}", escaped(word), kMaxWeight));
  }
  return weight;
}

void expect_no_more(const std::vector<std::string>& words) {
  if (!words.empty()) {
    throw CLI::ValidationError(fmt::format("'{}' is one argument too many", escaped(words[0])));
  }
}

// `answer` of a change, as shown().
template <typename Render>
Outcome<std::string> changed(const Session& session, const Outcome<Json>& answer, Render render) {
  if (answer) {
    note_if_not_running(session);
  }
  return shown(session, answer, render);
}

// The backend is asked for before it is changed, so that the line that is printed can say from what.
Outcome<std::string> change(const Session& session, const BackendName& backend, const char* field,
                            const Json& value, const std::string& reason) {
  const auto before = session.client.get(path_of(backend));
  if (!before) {
    return tl::unexpected(before.error());
  }
  const auto after = session.client.change("PATCH", with_query(path_of(backend), {{"reason", reason}}),
                                           Json{{field, value}});
  return changed(session, after,
                 [&](const Json& answer) { return render_backend_change(*before, answer, field); });
}

void add_list(CLI::App& noun, Action& chosen) {
  CLI::App& list =
      add_verb(noun, "list",
               {.description = "The backends of all pools, or of one",
                .arguments = "[POOL]",
                .examples = {"backend list", "backend list web", "backend list web -o wide --watch 5"}});
  auto pool = std::make_shared<std::string>();
  list.add_option("POOL", *pool)->check(kName);
  watchable(list);
  list.callback([&chosen, pool] {
    chosen = [pool](const Session& session) {
      const std::string path = pool->empty() ? "/v1/backends" : fmt::format("/v1/pools/{}/backends", *pool);
      return shown(session, session.client.get(path), [&](const Json& answer) {
        return render_backends(answer, session.colour, session.columns());
      });
    };
  });
}

void add_show(CLI::App& noun, Action& chosen) {
  CLI::App& show = add_verb(noun, "show",
                            {.description = "One backend: health, share of the table, traffic",
                             .arguments = "POOL/NAME",
                             .examples = {"backend show web/web1", "backend show web web1"}});
  auto words = std::make_shared<std::vector<std::string>>();
  show.add_option("BACKEND", *words)->required()->expected(1, kNameWords);
  watchable(show);
  show.callback([&chosen, words] {
    const BackendName backend = take_backend_name(*words);
    expect_no_more(*words);
    chosen = [backend](const Session& session) {
      return shown(session, session.client.get(path_of(backend)),
                   [&](const Json& answer) { return render_backend(answer, session.colour); });
    };
  });
}

void add_add(CLI::App& noun, Action& chosen) {
  struct Arguments {
    std::vector<std::string> words;
    std::string weight;
    std::string state;
  };
  CLI::App& add = add_verb(noun, "add",
                           {.description = "Adds a backend to a pool",
                            .arguments = "POOL NAME ADDRESS",
                            .examples = {"backend add web web3 10.0.1.13",
                                         "backend add web/web4 10.0.1.14 --weight 50 --state drain"}});
  auto given = std::make_shared<Arguments>();
  add.add_option("BACKEND", given->words)->required()->expected(2, kNameWords + 1);
  add.add_option("--weight", given->weight,
                 fmt::format("Its share in proportion to the others', 0..{} [100]", kMaxWeight))
      ->option_text("N");
  add.add_option("--state", given->state, "up, drain or down [up]")
      ->check(CLI::IsMember({"up", "drain", "down"}))
      ->option_text("STATE");
  const auto reason = add_reason(add);
  add.callback([&chosen, given, reason] {
    const BackendName backend = take_backend_name(given->words);
    if (given->words.empty()) {
      throw CLI::ValidationError("the address of the backend is missing");
    }
    const std::string address = given->words[0];
    given->words.erase(given->words.begin());
    expect_no_more(given->words);
    std::string checked = address;
    if (const std::string refusal = kAddress(checked); !refusal.empty()) {
      throw CLI::ValidationError(refusal);
    }
    Json body = {{"name", backend.name}, {"address", address}};
    if (!given->weight.empty()) {
      body["weight"] = parse_weight(given->weight);
    }
    if (!given->state.empty()) {
      body["state"] = given->state;
    }
    chosen = [backend, body, reason](const Session& session) {
      const std::string path =
          with_query(fmt::format("/v1/pools/{}/backends", backend.pool), {{"reason", *reason}});
      return changed(session, session.client.change("POST", path, body),
                     [](const Json& answer) { return render_backend_added(answer); });
    };
  });
}

void add_remove(CLI::App& noun, Action& chosen) {
  CLI::App& remove = add_verb(noun, "remove",
                              {.description = "Removes a backend; its flows go to other backends at once",
                               .arguments = "POOL/NAME",
                               .examples = {"backend remove web/web3", "backend remove web web3"}});
  auto words = std::make_shared<std::vector<std::string>>();
  remove.add_option("BACKEND", *words)->required()->expected(1, kNameWords);
  const auto reason = add_reason(remove);
  remove.callback([&chosen, words, reason] {
    const BackendName backend = take_backend_name(*words);
    expect_no_more(*words);
    chosen = [backend, reason](const Session& session) {
      const std::string path = with_query(path_of(backend), {{"reason", *reason}});
      return changed(session, session.client.change("DELETE", path, Json()), [&](const Json&) {
        return Rendered(fmt::format("{}/{}: removed\n", backend.pool, backend.name));
      });
    };
  });
}

void add_weight(CLI::App& noun, Action& chosen) {
  CLI::App& weight =
      add_verb(noun, "weight",
               {.description = "Changes a backend's weight; 0 gives it no new flows by the table",
                .arguments = "POOL/NAME N",
                .examples = {"backend weight web/web1 50", "backend weight web web1 50"}});
  auto words = std::make_shared<std::vector<std::string>>();
  weight.add_option("BACKEND", *words)->required()->expected(2, kNameWords + 1);
  const auto reason = add_reason(weight);
  weight.callback([&chosen, words, reason] {
    const BackendName backend = take_backend_name(*words);
    if (words->empty()) {
      throw CLI::ValidationError("the new weight is missing");
    }
    const uint32_t wanted = parse_weight(words->front());
    words->erase(words->begin());
    expect_no_more(*words);
    chosen = [backend, wanted, reason](const Session& session) {
      return change(session, backend, "weight", wanted, *reason);
    };
  });
}

void add_state(CLI::App& noun, Action& chosen, const std::string& state, const std::string& description) {
  CLI::App& verb = add_verb(
      noun, state,
      {.description = description,
       .arguments = "POOL/NAME",
       .examples = {fmt::format("backend {} web/web1", state), fmt::format("backend {} web web1", state)}});
  auto words = std::make_shared<std::vector<std::string>>();
  verb.add_option("BACKEND", *words)->required()->expected(1, kNameWords);
  const auto reason = add_reason(verb);
  verb.callback([&chosen, words, state, reason] {
    const BackendName backend = take_backend_name(*words);
    expect_no_more(*words);
    chosen = [backend, state, reason](const Session& session) {
      return change(session, backend, "state", state, *reason);
    };
  });
}

}  // namespace

void add_backend(CLI::App& root, Action& chosen) {
  CLI::App& noun = add_noun(root, "backend", "Servers of a pool; changes last over restarts of the daemons");
  add_list(noun, chosen);
  add_show(noun, chosen);
  add_add(noun, chosen);
  add_remove(noun, chosen);
  add_weight(noun, chosen);
  add_state(noun, chosen, "drain", "Keeps a backend's flows and gives it no new ones");
  add_state(noun, chosen, "up", "Lets a backend take flows again, as far as its health allows");
  add_state(noun, chosen, "down", "Takes a backend out of use at once, its flows with it");
}

}  // namespace maglb::ctl
