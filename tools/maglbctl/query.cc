#include "tools/maglbctl/query.h"

#include <fmt/format.h>

namespace maglb::ctl {

std::string url_escaped(std::string_view text) {
  constexpr std::string_view kPlain = "-._~";
  std::string out;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out += letter || kPlain.find(c) != std::string_view::npos
               ? std::string(1, c)
               : fmt::format("%{:02X}", static_cast<uint8_t>(c));
  }
  return out;
}

std::string with_query(std::string path,
                       std::initializer_list<std::pair<const char*, std::string_view>> parameters) {
  char before = '?';
  for (const auto& [name, value] : parameters) {
    if (!value.empty()) {
      path += fmt::format("{}{}={}", before, name, url_escaped(value));
      before = '&';
    }
  }
  return path;
}

}  // namespace maglb::ctl
