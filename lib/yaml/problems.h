// What is wrong with a file, and where. A reader collects problems instead of stopping at the first,
// so that an operator sees all of them at once.
//
// Lines and columns count from 1; a column counts characters. Line 0 means the file as a whole.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "lib/base/error.h"

namespace maglb::yaml {

struct Mark {
  uint32_t line = 0;
  uint32_t column = 0;
  friend constexpr bool operator==(const Mark&, const Mark&) = default;
  friend constexpr auto operator<=>(const Mark&, const Mark&) = default;
};

struct Problem {
  Mark mark;
  std::string message;  // what was expected
  friend bool operator==(const Problem&, const Problem&) = default;
};

class Problems {
 public:
  // More are not kept: who has that many starts at the top.
  static constexpr size_t kMaximum = 50;

  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(Mark mark, std::string message);
  // As add(), unless something is wrong at that place already: for what may follow from it.
  void add_if_new(Mark mark, std::string message);
  bool empty() const { return list_.empty(); }
  // Whether add() keeps nothing any more: what is dear to describe need not be.
  bool full() const { return list_.size() >= kMaximum; }
  const std::string& file() const { return file_; }
  const std::vector<Problem>& list() const { return list_; }
  // In the order of the file.
  void sort();

  // "FILE:LINE:COLUMN: message", or "FILE: message" for the file as a whole.
  std::string describe(const Problem& problem) const;
  // One described problem a line, no newline at the end.
  std::string to_string() const;
  // kInvalid with to_string().
  Error to_error() const { return Error{ErrorKind::kInvalid, to_string()}; }

 private:
  std::string file_;
  std::vector<Problem> list_;
};

// What was read, or everything that is wrong with it.
template <typename T>
using Checked = tl::expected<T, Problems>;

}  // namespace maglb::yaml
