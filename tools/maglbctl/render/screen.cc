#include "tools/maglbctl/render/screen.h"

#include <algorithm>

#include "tools/maglbctl/render/utf8.h"

namespace maglb::ctl {
namespace {

constexpr std::string_view kColourOff = "\x1b[0m";

// The length of the colour code that `text` starts with, 0 if it starts with none.
std::size_t colour_length(std::string_view text) {
  if (!text.starts_with("\x1b[")) {
    return 0;
  }
  const std::size_t end = text.find('m');
  return end == std::string_view::npos ? 0 : end + 1;
}

std::size_t body_rows(const Frame& frame, const Screen& screen) {
  return screen.rows - std::min(screen.rows, frame.head.size());
}

}  // namespace

std::string clipped(std::string_view line, std::size_t columns) {
  std::string out;
  std::size_t used = 0;
  bool coloured = false;
  while (!line.empty()) {
    std::size_t length = colour_length(line);
    if (length != 0) {
      coloured = line.substr(0, length) != kColourOff;
    } else {
      const auto code = decode_utf8(line);
      const std::size_t width = code ? columns_of(code->value) : 1;
      if (used + width > columns) {
        break;
      }
      used += width;
      length = code ? code->length : 1;
    }
    out += line.substr(0, length);
    line.remove_prefix(length);
  }
  return coloured ? out.append(kColourOff) : out;
}

std::size_t last_offset(const Frame& frame, const Screen& screen) {
  return frame.body.size() - std::min(frame.body.size(), body_rows(frame, screen));
}

std::vector<std::string> fit(const Frame& frame, const Screen& screen, std::size_t offset) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(frame.head.size(), screen.rows); ++i) {
    lines.push_back(clipped(frame.head[i], screen.columns));
  }
  const std::size_t first = std::min(offset, last_offset(frame, screen));
  const std::size_t last = std::min(frame.body.size(), first + body_rows(frame, screen));
  for (std::size_t i = first; i < last; ++i) {
    lines.push_back(clipped(frame.body[i], screen.columns));
  }
  return lines;
}

}  // namespace maglb::ctl
