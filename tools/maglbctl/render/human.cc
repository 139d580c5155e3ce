#include "tools/maglbctl/render/human.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tools/maglbctl/render/utf8.h"

namespace maglb::ctl {
namespace {

std::string with_unit(uint64_t value, const std::array<std::string_view, 6>& units) {
  double scaled = static_cast<double>(value);
  std::size_t unit = 0;
  // 999.95 would be printed as 1000.0: it belongs to the next unit.
  while (scaled >= 999.95 && unit + 1 < units.size()) {
    scaled /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", scaled, units[unit]);
}

bool steers_a_terminal(uint32_t code) {
  const auto in = [code](uint32_t low, uint32_t high) { return code >= low && code <= high; };
  return code < 0x20 || in(0x7f, 0x9f) || code == 0xad || code == 0x61c || in(0x200b, 0x200f) ||
         in(0x2028, 0x202e) || in(0x2060, 0x206f) || code == 0xfeff || in(0xfff9, 0xfffb) ||
         in(0xe0000, 0xe007f);
}

std::string escape_code(uint32_t code) {
  switch (code) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return code < 0x100 ? fmt::format("\\x{:02x}", code) : fmt::format("\\u{:04x}", code);
  }
}

}  // namespace

std::string human_count(uint64_t count) {
  if (count < 10000) {
    return std::to_string(count);
  }
  return with_unit(count, {"", "k", "M", "G", "T", "P"});
}

std::string human_bytes(uint64_t bytes) {
  if (bytes < 1000) {
    return fmt::format("{} B", bytes);
  }
  return with_unit(bytes, {"B", "kB", "MB", "GB", "TB", "PB"});
}

std::string exact_count(uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string human_duration(double seconds) {
  if (!(seconds > 0)) {
    return "0ms";
  }
  if (seconds < 0.9995) {
    return fmt::format("{:.0f}ms", seconds * 1000);
  }
  if (seconds < 59.95) {
    std::string text = fmt::format("{:.1f}", seconds);
    if (text.ends_with(".0")) {
      text.resize(text.size() - 2);
    }
    return text + "s";
  }
  constexpr double kLongest = 1e15;
  const auto whole = static_cast<uint64_t>(std::llround(std::min(seconds, kLongest)));
  if (whole < 3600) {
    return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  }
  if (whole < 86400) {
    return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  }
  return fmt::format("{}d{:02}h", whole / 86400, whole / 3600 % 24);
}

std::string human_share(double fraction) {
  return fmt::format("{:.1f} %", fraction * 100);
}

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto code = decode_utf8(text);
    const std::size_t length = code ? code->length : 1;
    if (!code) {
      out += fmt::format("\\x{:02x}", static_cast<uint8_t>(text[0]));
    } else if (steers_a_terminal(code->value)) {
      out += escape_code(code->value);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const auto code = decode_utf8(text);
    width += code ? columns_of(code->value) : 1;
    text.remove_prefix(code ? code->length : 1);
  }
  return width;
}

}  // namespace maglb::ctl
