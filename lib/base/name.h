// What services, pools, backends and ports may be called.
#pragma once

#include <algorithm>
#include <string_view>

namespace maglb {

inline constexpr std::string_view kNameRule =
    "1..63 characters of A-Z a-z 0-9 . _ -, the first a letter or digit";

// Whether `text` follows kNameRule: a name is part of paths, of command lines and of metrics' labels.
constexpr bool is_name(std::string_view text) {
  constexpr auto is_letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && text.size() <= 63 && is_letter_or_digit(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; });
}

// Whether `text` may name a backend of a compiled pool: a name or, of one that comes from another pool, the
// two names with a colon between, which no document's name has.
constexpr bool is_backend_name(std::string_view text) {
  const size_t colon = text.find(':');
  return colon == std::string_view::npos ? is_name(text)
                                         : is_name(text.substr(0, colon)) && is_name(text.substr(colon + 1));
}

}  // namespace maglb
