#include "tools/maglbctl/wrong_word.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/yaml/text.h"
#include "tools/maglbctl/place.h"
#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {
namespace {

using Words = std::vector<std::string>;

// "backend drain" for "drain", which stands without its noun.
Words with_nouns(const CLI::App& root, const std::string& verb) {
  Words out;
  for (const CLI::App* noun : root.get_subcommands([](const CLI::App*) { return true; })) {
    const Words verbs = command_names(*noun);
    if (std::find(verbs.begin(), verbs.end(), verb) != verbs.end()) {
      out.push_back(fmt::format("{} {}", noun->get_name(), verb));
    }
  }
  return out;
}

std::string joined(const Words& words) {
  const std::vector<std::string_view> views(words.begin(), words.end());
  return yaml::join_words(views);
}

// What was meant, else what there is.
std::string hint(const CLI::App& root, const CLI::App& noun, const std::string& word) {
  const Words known = command_names(noun);
  const std::vector<std::string_view> views(known.begin(), known.end());
  if (const std::string_view meant = yaml::closest(word, views); !meant.empty()) {
    return fmt::format("did you mean {}?", meant);
  }
  const Words elsewhere = &noun == &root ? with_nouns(root, word) : Words{};
  return elsewhere.empty() ? fmt::format("expected {}", joined(known))
                           : fmt::format("did you mean {}?", joined(elsewhere));
}

}  // namespace

std::optional<std::string> wrong_command(const CLI::App& root, const Words& words) {
  const Place place = place_of(root, words);
  const Words known = command_names(*place.app);
  if (known.empty()) {
    return std::nullopt;
  }
  const bool is_root = place.app == &root;
  if (place.positionals.empty()) {
    return is_root ? fmt::format("a command is missing: expected {}", joined(known))
                   : fmt::format("{} needs a verb: expected {}", place.app->get_name(), joined(known));
  }
  const std::string& word = place.positionals.front();
  return fmt::format("'{}' is no {}: {}", escaped(word),
                     is_root ? "command" : "verb of " + place.app->get_name(), hint(root, *place.app, word));
}

}  // namespace maglb::ctl
