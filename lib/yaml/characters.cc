#include "lib/yaml/characters.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "lib/yaml/text.h"

namespace maglb::yaml {
namespace {

// REQUIRES: `bytes` is one UTF-8 character.
uint32_t code_point_of(std::string_view bytes) {
  const auto byte = [bytes](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])); };
  if (bytes.size() == 1) {
    return byte(0);
  }
  uint32_t code_point = byte(0) & (0xffu >> (bytes.size() + 1));
  for (size_t i = 1; i < bytes.size(); ++i) {
    code_point = code_point << 6 | (byte(i) & 0x3f);
  }
  return code_point;
}

bool is_plain_ascii(char c) {
  return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\r' || c == '\t';
}

}  // namespace

bool is_plain_character(uint32_t code_point) {
  if (code_point < 0x80) {
    return is_plain_ascii(static_cast<char>(code_point));
  }
  return code_point >= 0xa0 && code_point != 0x2028 && code_point != 0x2029 && code_point != 0xfeff &&
         code_point != 0xfffe && code_point != 0xffff;
}

std::optional<Problem> find_bad_character(std::string_view text) {
  Mark mark{1, 1};
  for (size_t i = 0; i < text.size();) {
    if (is_plain_ascii(text[i])) {
      mark = text[i] == '\n' ? Mark{mark.line + 1, 1} : Mark{mark.line, mark.column + 1};
      ++i;
      continue;
    }
    const size_t length = utf8_length(text.substr(i));
    if (length == 0) {
      return Problem{mark, "expected UTF-8 text"};
    }
    const uint32_t code_point = code_point_of(text.substr(i, length));
    if (!is_plain_character(code_point)) {
      return Problem{mark, code_point < 0x80
                               ? fmt::format("control character 0x{:02x} is not allowed", code_point)
                               : fmt::format("character U+{:04X} is not allowed: in double quotes it is "
                                             "written \\u{:04x}",
                                             code_point, code_point)};
    }
    ++mark.column;
    i += length;
  }
  return std::nullopt;
}

std::string in_double_quotes(std::string_view text) {
  std::string quoted = "\"";
  for (size_t i = 0; i < text.size();) {
    const size_t length = std::max<size_t>(1, utf8_length(text.substr(i)));
    const std::string_view character = text.substr(i, length);
    const uint32_t code_point = code_point_of(character);
    if (character == "\"" || character == "\\") {
      quoted += '\\';
      quoted += character;
    } else if (code_point >= 0x20 && is_plain_character(code_point)) {
      quoted += character;
    } else {
      fmt::format_to(std::back_inserter(quoted), "\\u{:04x}", code_point);
    }
    i += length;
  }
  return quoted + '"';
}

}  // namespace maglb::yaml
