#include "tools/maglbctl/render/field.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {
namespace {

constexpr const char* kNothing = "-";

std::string text_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::string: {
      const auto& content = value.get_ref<const std::string&>();
      return content.empty() ? kNothing : escaped(content);
    }
    case Json::value_t::boolean:
      return value.get<bool>() ? "yes" : "no";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float:
      return value.dump();
    default:
      return kNothing;
  }
}

Tone tone_of(std::string_view word) {
  constexpr std::array<std::string_view, 2> kGoodWords = {"up", "healthy"};
  constexpr std::array<std::string_view, 2> kWarningWords = {"drain", "unknown"};
  constexpr std::array<std::string_view, 2> kBadWords = {"unhealthy", "down"};
  const auto has = [word](const auto& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  return has(kGoodWords)      ? Tone::kGood
         : has(kWarningWords) ? Tone::kWarning
         : has(kBadWords)     ? Tone::kBad
                              : Tone::kPlain;
}

}  // namespace

const Json& member(const Json& object, std::string_view name) {
  static const Json kNull;
  if (!object.is_object()) {
    return kNull;
  }
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

std::string text(const Json& object, std::string_view name) {
  return text_of(member(object, name));
}

std::optional<uint64_t> whole_number(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  const bool negative = value.is_number_integer() && !value.is_number_unsigned() && value.get<int64_t>() < 0;
  if (value.is_number_integer() && !negative) {
    return value.get<uint64_t>();
  }
  return std::nullopt;
}

std::optional<double> number(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  if (value.is_number()) {
    return value.get<double>();
  }
  return std::nullopt;
}

bool is_true(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  return value.is_boolean() && value.get<bool>();
}

std::string count(const Json& object, std::string_view name) {
  const auto value = whole_number(object, name);
  return value ? human_count(*value) : kNothing;
}

std::string bytes(const Json& object, std::string_view name) {
  const auto value = whole_number(object, name);
  return value ? human_bytes(*value) : kNothing;
}

std::string exact(const Json& object, std::string_view name) {
  const auto value = whole_number(object, name);
  return value ? exact_count(*value) : kNothing;
}

std::string duration(const Json& object, std::string_view name) {
  const auto value = number(object, name);
  return value ? human_duration(*value) : kNothing;
}

std::string share(const Json& object, std::string_view name) {
  const auto value = number(object, name);
  return value ? human_share(*value) : kNothing;
}

std::string joined(const Json& object, std::string_view name) {
  std::string out;
  const Json& list = member(object, name);
  if (list.is_array()) {
    for (const Json& item : list) {
      out += (out.empty() ? "" : ", ") + text_of(item);
    }
  }
  return out.empty() ? kNothing : out;
}

Cell up_of_total(const Json& object, std::string_view name) {
  const auto up = whole_number(object, fmt::format("{}_up", name));
  const auto total = whole_number(object, fmt::format("{}_total", name));
  if (!up || !total) {
    return kNothing;
  }
  const Tone tone = *up == 0 ? Tone::kBad : *up < *total ? Tone::kWarning : Tone::kGood;
  return {fmt::format("{}/{}", *up, *total), tone};
}

Cell state_cell(const Json& object, std::string_view name) {
  std::string word = text(object, name);
  const Tone tone = tone_of(word);
  return {std::move(word), tone};
}

Result<std::vector<const Json*>> objects(const Json& answer, std::string_view list) {
  const Json& items = member(answer, list);
  if (!items.is_array()) {
    return fail(ErrorKind::kSystem, fmt::format("the answer has no list '{}'", list));
  }
  std::vector<const Json*> out;
  for (const Json& item : items) {
    if (!item.is_object()) {
      return fail(ErrorKind::kSystem,
                  fmt::format("'{}' of the answer holds something that is no object", list));
    }
    out.push_back(&item);
  }
  return out;
}

Result<void> expect_member(const Json& answer, std::string_view name) {
  if (!answer.is_object() || !answer.contains(name)) {
    return fail(ErrorKind::kSystem, fmt::format("the answer has no '{}'", name));
  }
  return {};
}

}  // namespace maglb::ctl
