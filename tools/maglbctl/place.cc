#include "tools/maglbctl/place.h"

#include <utility>

namespace maglb::ctl {
namespace {

const CLI::App* find_command(const CLI::App& app, const std::string& name) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == name) {
      return command;
    }
  }
  return nullptr;
}

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

void take_value(Place& place, const CLI::Option& option, const std::string& value) {
  if (option.check_lname("socket")) {
    place.socket = value;
  }
}

void walk(Place& place, const std::string& word) {
  if (const CLI::Option* option = std::exchange(place.value, nullptr)) {
    const bool may_be_absent = option->get_items_expected_min() == 0;
    if (!may_be_absent || is_number(word)) {
      take_value(place, *option, word);
      return;
    }
  }
  if (word == "--") {
    place.options_over = true;
    return;
  }
  if (!place.options_over && word.size() > 1 && word[0] == '-') {
    const std::size_t equals = word.find('=');
    const CLI::Option* option = find_option(*place.app, word.substr(0, equals));
    if (option != nullptr && takes_value(*option)) {
      if (equals == std::string::npos) {
        place.value = option;
      } else {
        take_value(place, *option, word.substr(equals + 1));
      }
    }
    return;
  }
  const CLI::App* command = place.positionals.empty() ? find_command(*place.app, word) : nullptr;
  if (command != nullptr) {
    place.app = command;
  } else {
    place.positionals.push_back(word);
  }
}

}  // namespace

Place place_of(const CLI::App& root, const std::vector<std::string>& words) {
  Place place;
  place.app = &root;
  for (const std::string& word : words) {
    walk(place, word);
  }
  return place;
}

const CLI::Option* find_option(const CLI::App& app, const std::string& name) {
  for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
    if (const CLI::Option* option = at->get_option_no_throw(name)) {
      return option;
    }
  }
  return nullptr;
}

bool is_number(const std::string& word) {
  return !word.empty() && word.find_first_not_of("0123456789.") == std::string::npos;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

}  // namespace maglb::ctl
