#include "lib/yaml/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "lib/yaml/text.h"

namespace maglb::yaml {

namespace {

bool is_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

}  // namespace

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kSequence:
      return "a list";
    case Node::Kind::kMap:
      return "a map";
    case Node::Kind::kScalar:
      return quote(node.text);
  }
  return "?";
}

std::string with_context(std::string_view context, std::string_view message) {
  return context.empty() ? std::string(message) : fmt::format("{}: {}", context, message);
}

std::string Field::context() const {
  return map_ == nullptr ? context_ : with_context(*map_, key_);
}

void Field::problem(std::string_view message) const {
  problems_->add(mark_, with_context(context(), message));
}

bool Field::scalar(std::string_view what) const {
  if (!present()) {
    return false;
  }
  if (!node_->is_scalar()) {
    problem(fmt::format("expected {}, not {}", what, describe(*node_)));
    return false;
  }
  return true;
}

bool Field::string(std::string& out) const {
  if (!scalar("text")) {
    return false;
  }
  if (node_->text.empty() || !is_text(node_->text)) {
    problem(fmt::format("expected text without control characters, not {}", describe(*node_)));
    return false;
  }
  out = node_->text;
  return true;
}

bool Field::boolean(bool& out) const {
  static constexpr Word<bool> kWords[] = {{"on", true},     {"off", false}, {"true", true},
                                          {"false", false}, {"yes", true},  {"no", false}};
  if (!scalar("on or off")) {
    return false;
  }
  for (const auto& [name, value] : kWords) {
    if (node_->text == name && !node_->quoted) {
      out = value;
      return true;
    }
  }
  problem(fmt::format("expected on or off, not {}", describe(*node_)));
  return false;
}

bool Field::integer(uint64_t low, uint64_t high, uint64_t& out) const {
  if (!scalar("a number")) {
    return false;
  }
  const auto value = node_->quoted ? std::nullopt : parse_integer(node_->text);
  const bool all_digits = !node_->quoted && !node_->text.empty() &&
                          node_->text.find_first_not_of("0123456789") == std::string::npos &&
                          node_->text[0] != '0';
  if (!value && !all_digits) {
    problem(fmt::format("expected a number in {}..{}, not {}{}", low, high, describe(*node_),
                        node_->quoted ? " in quotes" : ""));
    return false;
  }
  if (!value || *value < low || *value > high) {
    problem(fmt::format("{} is not in {}..{}", node_->text.substr(0, 40), low, high));
    return false;
  }
  out = *value;
  return true;
}

bool Field::duration(Duration low, Duration high, Duration& out) const {
  constexpr std::string_view kWhat = "a duration like 500ms, 1s, 5m or 1h";
  if (!scalar(kWhat)) {
    return false;
  }
  const auto value = parse_duration(node_->text);
  if (!value) {
    problem(fmt::format("expected {}, not {}", kWhat, describe(*node_)));
    return false;
  }
  if (*value < low || *value > high) {
    problem(fmt::format("{} is not in {}..{}", node_->text.substr(0, 40), format_duration(low),
                        format_duration(high)));
    return false;
  }
  out = *value;
  return true;
}

bool Field::size(uint64_t low, uint64_t high, uint64_t& out) const {
  constexpr std::string_view kWhat = "a size like 512M or 2G";
  if (!scalar(kWhat)) {
    return false;
  }
  const auto value = parse_size(node_->text);
  if (!value) {
    problem(fmt::format("expected {}, not {}", kWhat, describe(*node_)));
    return false;
  }
  if (*value < low || *value > high) {
    problem(fmt::format("{} is not in {}M..{}M", node_->text, low >> 20, high >> 20));
    return false;
  }
  out = *value;
  return true;
}

size_t Field::word_index(std::span<const std::string_view> names,
                         std::span<const std::string_view> later) const {
  if (!scalar(join_words(names))) {
    return names.size();
  }
  const auto found = std::find(names.begin(), names.end(), node_->text);
  if (found != names.end()) {
    return static_cast<size_t>(found - names.begin());
  }
  if (std::find(later.begin(), later.end(), node_->text) != later.end()) {
    problem(fmt::format("{} is not available in this version: expected {}", node_->text, join_words(names)));
  } else if (names.size() == 1) {
    problem(fmt::format("expected {}, not {}", names[0], describe(*node_)));
  } else {
    problem(fmt::format("expected one of {}, not {}", join_words(names), describe(*node_)));
  }
  return names.size();
}

std::span<const Node> Field::list() const {
  if (!present()) {
    return {};
  }
  if (!node_->is_sequence()) {
    problem(fmt::format("expected a list, not {}", describe(*node_)));
    return {};
  }
  return node_->items;
}

MapReader::MapReader(const Node& node, std::string context, Problems& problems)
    : node_(&node), context_(std::move(context)), problems_(&problems) {
  if (!node.is_map()) {
    problems.add(node.mark, with_context(context_, fmt::format("expected a map, not {}", describe(node))));
  }
}

const Node* MapReader::find(std::string_view key) const {
  for (size_t i = 0; i < node_->keys.size(); ++i) {
    if (node_->keys[i].text == key) {
      return &node_->items[i];
    }
  }
  return nullptr;
}

Field MapReader::optional(std::string_view key) {
  known_.push_back(key);
  const Node* node = find(key);
  return Field(node, node != nullptr ? node->mark : node_->mark, &context_, key, *problems_);
}

Field MapReader::required(std::string_view key) {
  Field field = optional(key);
  if (!field.present() && node_->is_map()) {
    problems_->add(node_->mark, with_context(context_, fmt::format("the key '{}' is missing", key)));
  }
  return field;
}

void MapReader::finish() {
  for (const Node::Key& key : node_->keys) {
    if (problems_->full()) {
      return;
    }
    if (std::find(known_.begin(), known_.end(), key.text) != known_.end()) {
      continue;
    }
    const std::string_view meant = closest(key.text, known_);
    const std::string hint = meant.empty() ? fmt::format("expected {}", join_words(known_))
                                           : fmt::format("did you mean '{}'?", meant);
    problems_->add(key.mark,
                   with_context(context_, fmt::format("unknown key {}: {}", quote(key.text), hint)));
  }
}

}  // namespace maglb::yaml
