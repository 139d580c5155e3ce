#include "lib/yaml/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace maglb::yaml {

namespace {

struct Unit {
  std::string_view word;
  uint64_t size;
};

// In milliseconds, largest first.
constexpr Unit kDurationUnits[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
constexpr uint64_t kMaxMilliseconds = uint64_t{366} * 24 * 3600000;

constexpr Unit kSizeUnits[] = {{"G", 1u << 30}, {"M", 1u << 20}, {"K", 1u << 10}, {"", 1}};

std::optional<uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units, uint64_t limit) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_integer(text.substr(0, digits));
  if (!number) {
    return std::nullopt;
  }
  for (const Unit& unit : units) {
    if (text.substr(digits) == unit.word && *number <= limit / unit.size) {
      return *number * unit.size;
    }
  }
  return std::nullopt;
}

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// Edits between two words: a character inserted, removed, replaced, or swapped with its neighbour
// (optimal string alignment).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> edits(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        edits[i][j] = i + j;
        continue;
      }
      const size_t replaced = edits[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      edits[i][j] = std::min({replaced, edits[i - 1][j] + 1, edits[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        edits[i][j] = std::min(edits[i][j], edits[i - 2][j - 2] + 1);
      }
    }
  }
  return edits[a.size()][b.size()];
}

}  // namespace

std::string quote(std::string_view text) {
  constexpr size_t kShown = 60;
  std::string out = "'";
  for (const char c : text.substr(0, kShown)) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  if (text.size() > kShown) {
    // Not in the middle of a character.
    while (!out.empty() && is_continuation(out.back())) {
      out.pop_back();
    }
    if (static_cast<unsigned char>(out.back()) >= 0xc0) {
      out.pop_back();
    }
    out += "...";
  }
  return out + "'";
}

size_t utf8_length(std::string_view text) {
  if (text.empty()) {
    return 0;
  }
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) {
    return 1;
  }
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length ||
      !std::all_of(text.begin() + 1, text.begin() + static_cast<ptrdiff_t>(length), is_continuation)) {
    return 0;
  }
  const auto second = static_cast<unsigned char>(text[1]);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second >= 0xa0;
  const bool beyond = first == 0xf4 && second >= 0x90;
  return overlong || surrogate || beyond ? 0 : length;
}

std::optional<uint64_t> parse_integer(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || (text[0] == '0' && text.size() > 1)) {
    return std::nullopt;
  }
  return value;
}

std::optional<Duration> parse_duration(std::string_view text) {
  const auto milliseconds = parse_with_unit(text, kDurationUnits, kMaxMilliseconds);
  if (!milliseconds) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(*milliseconds);
}

std::string format_duration(Duration duration) {
  const auto milliseconds =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
  for (const Unit& unit : kDurationUnits) {
    if (milliseconds != 0 && milliseconds % unit.size == 0) {
      return fmt::format("{}{}", milliseconds / unit.size, unit.word);
    }
  }
  return "0s";
}

std::optional<uint64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, kSizeUnits, uint64_t{1} << 50);
}

std::string_view closest(std::string_view word, std::span<const std::string_view> known) {
  if (word.size() > 64 || known.size() > kMaxCandidates) {
    return {};
  }
  std::string_view best;
  size_t least = std::max<size_t>(word.size() > 1 ? 1 : 0, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const size_t edits = candidate.size() <= 64 ? distance(word, candidate) : least;
    if (edits < least) {
      least = edits;
      best = candidate;
    }
  }
  return best;
}

std::string join_words(std::span<const std::string_view> words) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    out += i == 0 ? "" : i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace maglb::yaml
