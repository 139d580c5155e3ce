#include "controlplane/api/target.h"

#include "lib/base/hex.h"

namespace maglb {
namespace {

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// The text up to `mark`, which is taken off the rest with it.
std::string_view take_until(std::string_view& rest, char mark) {
  const size_t end = std::min(rest.find(mark), rest.size());
  const std::string_view piece = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return piece;
}

}  // namespace

std::optional<Target> Target::parse(std::string_view text) {
  Target target;
  std::string_view rest = text;
  std::string_view path = take_until(rest, '?');
  if (path.empty() || path.front() != '/') {
    return std::nullopt;
  }
  path.remove_prefix(1);
  while (!path.empty()) {
    auto segment = decode(take_until(path, '/'));
    if (!segment) {
      return std::nullopt;
    }
    target.path.push_back(std::move(*segment));
  }
  while (!rest.empty()) {
    std::string_view pair = take_until(rest, '&');
    const auto name = decode(take_until(pair, '='));
    const auto value = decode(pair);
    if (!name || !value || !target.query.emplace(*name, *value).second) {
      return std::nullopt;
    }
  }
  return target;
}

}  // namespace maglb
