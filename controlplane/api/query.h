// Parameters of a query, read strictly.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <optional>
#include <string>

#include "controlplane/api/target.h"
#include "controlplane/desired/confirmation.h"
#include "lib/base/error.h"

namespace maglb {

inline std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// `fallback` when it is not given.
inline Result<uint64_t> number_parameter(const Target& target, const char* name, uint64_t fallback,
                                         uint64_t most) {
  const auto found = target.query.find(name);
  if (found == target.query.end()) {
    return fallback;
  }
  const auto number = parse_number(found->second);
  if (!number || *number > most) {
    return fail(ErrorKind::kInvalid, fmt::format("{}: expected a number in 0..{}", name, most));
  }
  return *number;
}

inline std::string text_parameter(const Target& target, const char* name, std::string fallback = "") {
  const auto found = target.query.find(name);
  return found == target.query.end() ? std::move(fallback) : found->second;
}

// "300s": seconds, minutes or hours. Nothing when it is not given.
inline Result<std::optional<std::chrono::seconds>> confirm_within_parameter(const Target& target) {
  const std::string text = text_parameter(target, "confirm_within");
  if (text.empty()) {
    return std::nullopt;
  }
  const auto number = parse_number(std::string_view(text).substr(0, text.size() - 1));
  const uint64_t unit = text.back() == 's' ? 1 : text.back() == 'm' ? 60 : text.back() == 'h' ? 3600 : 0;
  const auto longest = static_cast<uint64_t>(std::chrono::seconds(Confirmation::kLongest).count());
  if (!number || unit == 0 || *number == 0 || *number > longest / unit) {
    return fail(ErrorKind::kInvalid, "confirm_within: expected 1s to 24h, as in 300s or 5m");
  }
  return std::chrono::seconds(*number * unit);
}

}  // namespace maglb
