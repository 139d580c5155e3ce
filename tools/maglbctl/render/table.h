// Text in aligned columns, with colour laid on after the widths are known.
//
// Cells are printed as they are: whoever makes one from a string of others escapes it first
// (field.h does).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace maglb::ctl {

enum class Tone { kPlain, kGood, kWarning, kBad, kFaint };

// `text` in the tone's colour, or as it is when `colour` is off or the tone plain.
std::string painted(std::string_view text, Tone tone, bool colour);

struct Cell {
  // From text alone wherever a cell has no tone.
  Cell(std::string cell_text, Tone cell_tone = Tone::kPlain) : text(std::move(cell_text)), tone(cell_tone) {}
  Cell(const char* cell_text) : text(cell_text) {}

  std::string text;
  Tone tone = Tone::kPlain;
};

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // REQUIRES: as many cells as columns.
  void add(std::vector<Cell> cells);
  bool empty() const { return rows_.empty(); }
  // One more column at the right end. REQUIRES: no row was added.
  void widen(Column column);

  // A heading and a line for each row, two spaces between columns, none at the end of a line.
  std::string to_string(bool colour) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// "name   value" lines: what one object is.
class Facts {
 public:
  void add(std::string name, Cell value) { facts_.push_back({std::move(name), std::move(value)}); }
  std::string to_string(bool colour) const;

 private:
  struct Fact {
    std::string name;
    Cell value;
  };
  std::vector<Fact> facts_;
};

}  // namespace maglb::ctl
