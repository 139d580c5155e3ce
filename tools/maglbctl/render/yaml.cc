#include "tools/maglbctl/render/yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tools/maglbctl/render/utf8.h"

namespace maglb::ctl {
namespace {

using Json = nlohmann::json;

// Letters first, and none of the words that YAML 1.1 or 1.2 reads as null or a truth value.
bool is_plain(std::string_view text) {
  constexpr std::array<std::string_view, 9> kReserved = {"null", "true", "false", "yes", "no",
                                                         "on",   "off",  "y",     "n"};
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto inner = [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/';
  };
  if (text.empty() || !letter(text[0]) || !std::all_of(text.begin(), text.end(), inner)) {
    return false;
  }
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::find(kReserved.begin(), kReserved.end(), lower) == kReserved.end();
}

std::string escape(uint32_t code) {
  switch (code) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  if (code >= 0x20 && code < 0x7f) {
    return std::string(1, static_cast<char>(code));
  }
  return code < 0x100     ? fmt::format("\\x{:02x}", code)
         : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                          : fmt::format("\\U{:08x}", code);
}

std::string string_of(std::string_view text) {
  if (is_plain(text)) {
    return std::string(text);
  }
  constexpr uint32_t kReplacement = 0xfffd;
  std::string out = "\"";
  while (!text.empty()) {
    const auto code = decode_utf8(text);
    out += escape(code ? code->value : kReplacement);
    text.remove_prefix(code ? code->length : 1);
  }
  return out + "\"";
}

bool is_block(const Json& value) {
  return value.is_structured() && !value.empty();
}

std::string scalar(const Json& value) {
  return value.is_string()   ? string_of(value.get_ref<const std::string&>())
         : value.is_object() ? "{}"
         : value.is_array()  ? "[]"
                             : value.dump();
}

// The lines of a block. `started`: the first one stands behind a "- " already.
void write(const Json& block, std::size_t indent, bool started, std::string& out) {
  const auto begin_line = [&] {
    out += started ? std::string() : std::string(indent, ' ');
    started = false;
  };
  if (block.is_array()) {
    for (const Json& item : block) {
      begin_line();
      out += "- ";
      if (is_block(item)) {
        write(item, indent + 2, true, out);
      } else {
        out += scalar(item) + "\n";
      }
    }
    return;
  }
  for (const auto& [name, value] : block.items()) {
    begin_line();
    out += string_of(name) + ":";
    if (is_block(value)) {
      out += "\n";
      write(value, indent + 2, false, out);
    } else {
      out += " " + scalar(value) + "\n";
    }
  }
}

}  // namespace

std::string render_yaml(const Json& answer) {
  if (!is_block(answer)) {
    return scalar(answer) + "\n";
  }
  std::string out;
  write(answer, 0, false, out);
  return out;
}

}  // namespace maglb::ctl
