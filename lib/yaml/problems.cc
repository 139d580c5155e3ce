#include "lib/yaml/problems.h"

#include <fmt/format.h>

#include <algorithm>

namespace maglb::yaml {

void Problems::add(Mark mark, std::string message) {
  if (list_.size() < kMaximum) {
    list_.push_back({mark, std::move(message)});
  }
}

void Problems::add_if_new(Mark mark, std::string message) {
  const auto here = [mark](const Problem& problem) { return problem.mark == mark; };
  if (mark.line == 0 || std::none_of(list_.begin(), list_.end(), here)) {
    add(mark, std::move(message));
  }
}

void Problems::sort() {
  std::stable_sort(list_.begin(), list_.end(),
                   [](const Problem& a, const Problem& b) { return a.mark < b.mark; });
}

std::string Problems::describe(const Problem& problem) const {
  if (problem.mark.line == 0) {
    return fmt::format("{}: {}", file_, problem.message);
  }
  return fmt::format("{}:{}:{}: {}", file_, problem.mark.line, problem.mark.column, problem.message);
}

std::string Problems::to_string() const {
  std::string text;
  for (const Problem& problem : list_) {
    if (!text.empty()) {
      text += '\n';
    }
    text += describe(problem);
  }
  return text;
}

}  // namespace maglb::yaml
