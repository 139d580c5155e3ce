// Text to values and back: the words that configuration files use for numbers and durations.
// Pure functions; errors say what was expected and leave the place to the caller.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib/base/clock.h"

namespace maglb::yaml {

// The text in single quotes for a message: control characters escaped, shortened when long.
std::string quote(std::string_view text);

// The bytes of the UTF-8 character (RFC 3629) that `text` begins with; 0: it begins with none.
size_t utf8_length(std::string_view text);

// Decimal digits without sign and without leading zeros.
std::optional<uint64_t> parse_integer(std::string_view text);

// A whole number and ms, s, m or h. Nothing when it is none, or longer than a year.
std::optional<Duration> parse_duration(std::string_view text);
// In the largest unit that divides it: "500ms", "1s", "5m". Below a millisecond is cut off.
std::string format_duration(Duration duration);

// A whole number of bytes, with K, M or G for powers of 1024.
std::optional<uint64_t> parse_size(std::string_view text);

// The word nearest to `word` in edits, if near enough to be what was meant; empty otherwise. Among more
// than kMaxCandidates it is not looked for.
inline constexpr size_t kMaxCandidates = 1000;
std::string_view closest(std::string_view word, std::span<const std::string_view> known);

// "a", "a or b", "a, b or c".
std::string join_words(std::span<const std::string_view> words);

}  // namespace maglb::yaml
