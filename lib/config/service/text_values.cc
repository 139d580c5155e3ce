#include "lib/config/service/text_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>

#include "lib/config/service/model.h"
#include "lib/yaml/characters.h"
#include "lib/yaml/text.h"

namespace maglb {
namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

// Words that YAML's readers take for something else than text.
bool is_reserved(std::string_view text) {
  static constexpr std::string_view kReserved[] = {"null", "true", "false", "yes", "no",
                                                   "on",   "off",  "y",     "n"};
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return std::find(std::begin(kReserved), std::end(kReserved), lower) != std::end(kReserved);
}

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && std::all_of(label.begin(), label.end(), [](char c) {
    return kLetters.find(c) != std::string_view::npos || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

}  // namespace

bool is_text(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = yaml::utf8_length(text.substr(i));
    if (length == 0 || static_cast<unsigned char>(text[i]) < 0x20 || text[i] == 0x7f) {
      return false;
    }
    i += length;
  }
  return true;
}

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxHostName) {
    return false;
  }
  while (true) {
    const size_t dot = text.find('.');
    if (!is_label(text.substr(0, dot))) {
      return false;
    }
    if (dot == std::string_view::npos) {
      return true;
    }
    text.remove_prefix(dot + 1);
  }
}

bool is_absolute_path(std::string_view text) {
  return text.size() > 1 && text[0] == '/' && text.size() <= kMaxFilePath && is_text(text);
}

bool read_text(const yaml::Field& field, std::string& out) {
  if (!field.scalar("text")) {
    return false;
  }
  if (!is_text(field.node().text)) {
    field.problem(
        fmt::format("expected text without control characters, not {}", yaml::describe(field.node())));
    return false;
  }
  out = field.node().text;
  return true;
}

std::string write_text(std::string_view text) {
  const bool plain =
      !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) != 0 &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
          std::string_view::npos;
  if (plain && !is_reserved(text)) {
    return std::string(text);
  }
  return yaml::in_double_quotes(text);
}

std::string write_address(const std::string& text) {
  return text.find(':') == std::string::npos ? text : '"' + text + '"';
}

}  // namespace maglb
