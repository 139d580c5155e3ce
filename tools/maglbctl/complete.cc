#include "tools/maglbctl/complete.h"

#include <sys/un.h>

#include <algorithm>
#include <set>

#include "lib/base/name.h"
#include "tools/maglbctl/client.h"
#include "tools/maglbctl/place.h"
#include "tools/maglbctl/render/field.h"

namespace maglb::ctl {
namespace {

using Words = std::vector<std::string>;

constexpr std::chrono::milliseconds kPatience(300);
constexpr std::size_t kMaxCandidates = 10000;

// The words that IsMember allows, which CLI11 tells as the type "TEXT:{a,b,c}".
Words allowed_values(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}', open == std::string::npos ? 0 : open);
  if (open == std::string::npos || close == std::string::npos) {
    return {};
  }
  Words out;
  std::string list = type.substr(open + 1, close - open - 1);
  for (const std::string& word : CLI::detail::split(list, ',')) {
    out.push_back(word);
  }
  return out;
}

class LiveNames {
 public:
  explicit LiveNames(const std::string& socket) {
    if (!socket.empty() && socket.size() < sizeof(sockaddr_un::sun_path)) {
      client_ = std::make_unique<Client>(socket, kPatience);
    }
  }

  Words services() {
    return names("/v1/services", "services", [](const Json& one) { return name_of(one, "name"); });
  }
  Words pools() {
    return names("/v1/pools", "pools", [](const Json& one) { return name_of(one, "name"); });
  }
  Words backends() {
    return names("/v1/backends", "backends", [](const Json& one) {
      const std::string pool = name_of(one, "pool");
      const std::string name = name_of(one, "name");
      return pool.empty() || name.empty() ? std::string() : pool + "/" + name;
    });
  }
  Words backends_of(const std::string& pool) {
    return !is_name(pool) ? Words{}
                          : names("/v1/pools/" + pool + "/backends", "backends",
                                  [](const Json& one) { return name_of(one, "name"); });
  }

 private:
  // Empty when it is no name: whoever listens there writes into a shell else.
  static std::string name_of(const Json& object, const char* field) {
    const Json& value = member(object, field);
    const std::string name = value.is_string() ? value.get<std::string>() : "";
    return is_name(name) ? name : "";
  }

  template <typename NameOf>
  Words names(const std::string& path, const char* list, NameOf name_of_one) {
    if (client_ == nullptr) {
      return {};
    }
    const auto answer = client_->get(path);
    const auto all = answer ? objects(*answer, list) : Result<std::vector<const Json*>>();
    Words out;
    for (const Json* one : all ? *all : std::vector<const Json*>()) {
      if (std::string name = name_of_one(*one); !name.empty()) {
        out.push_back(std::move(name));
      }
    }
    return out;
  }

  std::unique_ptr<Client> client_;
};

// The positional that the typed word would be, by what the command calls it.
std::string positional_name(const Place& place) {
  std::size_t index = place.positionals.size();
  for (const CLI::Option* option : place.app->get_options()) {
    if (!option->get_positional()) {
      continue;
    }
    const auto takes = static_cast<std::size_t>(std::max(option->get_items_expected_max(), 0));
    if (index < takes) {
      return option->get_name();
    }
    index -= takes;
  }
  return {};
}

Words names_for(const Place& place, LiveNames& live) {
  const std::string positional = positional_name(place);
  const std::string noun = place.app->get_parent() != nullptr ? place.app->get_parent()->get_name() : "";
  if (positional == "FILE") {
    return {kFiles};
  }
  if (positional == "POOL" || (positional == "NAME" && noun == "pool")) {
    return live.pools();
  }
  if (positional == "NAME" && noun == "service") {
    return live.services();
  }
  if (positional != "BACKEND") {
    const CLI::Option* option = place.app->get_option_no_throw(positional);
    return option != nullptr ? allowed_values(*option) : Words{};
  }
  const bool adds = place.app->get_name() == "add";
  if (place.positionals.empty()) {
    return adds ? live.pools() : live.backends();
  }
  const bool pool_given =
      place.positionals.size() == 1 && place.positionals[0].find('/') == std::string::npos;
  return pool_given && !adds ? live.backends_of(place.positionals[0]) : Words{};
}

Words options_for(const Place& place) {
  std::set<std::string> names;
  for (const CLI::App* app = place.app; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        names.insert("--" + name);
      }
    }
  }
  return {names.begin(), names.end()};
}

Words values_for(const CLI::Option& option) {
  return option.check_lname("socket") ? Words{kFiles} : allowed_values(option);
}

Words candidates(Place& place, const std::string& typed) {
  if (place.value != nullptr && (place.value->get_items_expected_min() > 0 || is_number(typed))) {
    return values_for(*place.value);
  }
  if (!place.options_over && typed.starts_with("-")) {
    const std::size_t equals = typed.find('=');
    if (equals == std::string::npos) {
      return options_for(place);
    }
    const CLI::Option* option = find_option(*place.app, typed.substr(0, equals));
    Words values = option != nullptr ? values_for(*option) : Words{};
    for (std::string& value : values) {
      value = value == kFiles ? value : typed.substr(0, equals + 1) + value;
    }
    return values;
  }
  Words commands = place.positionals.empty() ? command_names(*place.app) : Words{};
  if (!commands.empty()) {
    return commands;
  }
  LiveNames live(place.socket);
  return names_for(place, live);
}

nlohmann::json options_object(const CLI::App& app) {
  nlohmann::json list = nlohmann::json::array();
  for (const CLI::Option* option : app.get_options()) {
    nlohmann::json names = nlohmann::json::array();
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
    for (const std::string& name : option->get_snames()) {
      names.push_back("-" + name);
    }
    if (!names.empty()) {
      list.push_back({{"names", names}, {"description", option->get_description()}});
    }
  }
  return list;
}

void append_commands(const CLI::App& app, const std::string& name, nlohmann::json& list) {
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* command : commands) {
    append_commands(*command, name.empty() ? command->get_name() : name + " " + command->get_name(), list);
  }
  if (commands.empty()) {
    list.push_back(
        {{"command", name}, {"description", app.get_description()}, {"options", options_object(app)}});
  }
}

}  // namespace

Words complete(const CLI::App& root, const Words& words, const std::string& socket) {
  if (words.empty()) {
    return {};
  }
  Place place = place_of(root, {words.begin(), words.end() - 1});
  place.socket = place.socket.empty() ? socket : place.socket;
  const std::string& typed = words.back();
  Words out;
  for (std::string& candidate : candidates(place, typed)) {
    const bool fits = candidate.starts_with(typed) || candidate == kFiles;
    if (fits && out.size() < kMaxCandidates) {
      out.push_back(std::move(candidate));
    }
  }
  return out;
}

nlohmann::json command_tree(const CLI::App& root) {
  nlohmann::json list = nlohmann::json::array();
  append_commands(root, "", list);
  return {{"commands", list}, {"options", options_object(root)}};
}

}  // namespace maglb::ctl
