#include "tools/maglbctl/render/table.h"

#include <algorithm>

#include "lib/base/check.h"
#include "tools/maglbctl/render/human.h"

namespace maglb::ctl {
namespace {

std::string_view colour_of(Tone tone) {
  switch (tone) {
    case Tone::kGood:
      return "\x1b[32m";
    case Tone::kWarning:
      return "\x1b[33m";
    case Tone::kBad:
      return "\x1b[31m";
    case Tone::kFaint:
      return "\x1b[2m";
    case Tone::kPlain:
      break;
  }
  return {};
}

// Spaces come outside of the colour, so that a background or underline never shows in the gap.
std::string padded(const Cell& cell, std::size_t width, Align align, bool colour) {
  const std::size_t used = display_width(cell.text);
  const std::string gap(width > used ? width - used : 0, ' ');
  const std::string text = painted(cell.text, cell.tone, colour);
  return align == Align::kLeft ? text + gap : gap + text;
}

void end_line(std::string& out) {
  out.erase(out.find_last_not_of(' ') + 1);
  out += '\n';
}

}  // namespace

std::string painted(std::string_view text, Tone tone, bool colour) {
  const std::string_view start = colour ? colour_of(tone) : std::string_view{};
  if (start.empty() || text.empty()) {
    return std::string(text);
  }
  return std::string(start).append(text).append("\x1b[0m");
}

void Table::widen(Column column) {
  check(rows_.empty(), "a table gets its columns before its rows");
  columns_.push_back(std::move(column));
}

void Table::add(std::vector<Cell> cells) {
  check(cells.size() == columns_.size(), "a table row has a cell for each column");
  rows_.push_back(std::move(cells));
}

std::string Table::to_string(bool colour) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const auto& row : rows_) {
      width = std::max(width, display_width(row[i].text));
    }
    widths.push_back(width);
  }
  std::string out;
  const auto line = [&](auto cell_at) {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      text += (i == 0 ? "" : "  ") + padded(cell_at(i), widths[i], columns_[i].align, colour);
    }
    end_line(text);
    out += text;
  };
  line([&](std::size_t i) { return Cell(columns_[i].title); });
  for (const auto& row : rows_) {
    line([&](std::size_t i) -> const Cell& { return row[i]; });
  }
  return out;
}

std::string Facts::to_string(bool colour) const {
  std::size_t width = 0;
  for (const auto& fact : facts_) {
    width = std::max(width, display_width(fact.name));
  }
  std::string out;
  for (const auto& fact : facts_) {
    std::string line = padded(Cell(fact.name), width, Align::kLeft, false) + "  " +
                       painted(fact.value.text, fact.value.tone, colour);
    end_line(line);
    out += line;
  }
  return out;
}

}  // namespace maglb::ctl
