#include "controlplane/desired/text_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <vector>

namespace maglb {
namespace {

using Lines = std::span<const std::string_view>;

struct Edit {
  char sign;  // ' ', '-' or '+'
  std::string_view line;
};

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

size_t common_head(Lines a, Lines b) {
  const size_t most = std::min(a.size(), b.size());
  size_t n = 0;
  while (n < most && a[n] == b[n]) {
    ++n;
  }
  return n;
}

size_t common_tail(Lines a, Lines b) {
  const size_t most = std::min(a.size(), b.size());
  size_t n = 0;
  while (n < most && a[a.size() - 1 - n] == b[b.size() - 1 - n]) {
    ++n;
  }
  return n;
}

// furthest[d][k + d] is how far down `a` d edits reach on diagonal k = x - y. Ends with the d that reaches
// both ends; empty when that takes more than kMaxEdits.
std::vector<std::vector<int>> search(Lines a, Lines b) {
  const int rows = static_cast<int>(a.size());
  const int columns = static_cast<int>(b.size());
  std::vector<std::vector<int>> furthest;
  for (int d = 0; d <= std::min(kMaxEdits, rows + columns); ++d) {
    std::vector<int> now(static_cast<size_t>(2 * d + 1), 0);
    const auto before = [&](int k) { return furthest.back()[static_cast<size_t>(k + d - 1)]; };
    bool reached = false;
    for (int k = -d; k <= d; k += 2) {
      const bool down = d > 0 && (k == -d || (k != d && before(k - 1) < before(k + 1)));
      int x = d == 0 ? 0 : down ? before(k + 1) : before(k - 1) + 1;
      while (x < rows && x - k < columns && a[static_cast<size_t>(x)] == b[static_cast<size_t>(x - k)]) {
        ++x;
      }
      now[static_cast<size_t>(k + d)] = x;
      reached = reached || (x >= rows && x - k >= columns);
    }
    furthest.push_back(std::move(now));
    if (reached) {
      return furthest;
    }
  }
  return {};
}

// The way back along the search, which is from the last edit to the first.
std::vector<Edit> trace(Lines a, Lines b, const std::vector<std::vector<int>>& furthest) {
  std::vector<Edit> edits;
  int x = static_cast<int>(a.size());
  int y = static_cast<int>(b.size());
  for (int d = static_cast<int>(furthest.size()) - 1; d > 0; --d) {
    const auto& before = furthest[static_cast<size_t>(d - 1)];
    const auto at = [&](int k) { return before[static_cast<size_t>(k + d - 1)]; };
    const int k = x - y;
    const bool down = k == -d || (k != d && at(k - 1) < at(k + 1));
    const int from_x = down ? at(k + 1) : at(k - 1);
    const int from_y = from_x - (down ? k + 1 : k - 1);
    for (; x > from_x && y > from_y; --x, --y) {
      edits.push_back({' ', a[static_cast<size_t>(x - 1)]});
    }
    edits.push_back(down ? Edit{'+', b[static_cast<size_t>(from_y)]}
                         : Edit{'-', a[static_cast<size_t>(from_x)]});
    x = from_x;
    y = from_y;
  }
  for (; x > 0; --x) {
    edits.push_back({' ', a[static_cast<size_t>(x - 1)]});
  }
  std::reverse(edits.begin(), edits.end());
  return edits;
}

std::vector<Edit> edits_of(Lines a, Lines b) {
  const auto furthest = search(a, b);
  if (!furthest.empty()) {
    return trace(a, b, furthest);
  }
  std::vector<Edit> edits;
  for (const std::string_view line : a) {
    edits.push_back({'-', line});
  }
  for (const std::string_view line : b) {
    edits.push_back({'+', line});
  }
  return edits;
}

struct Place {
  size_t from = 0;  // lines of `from` and of `to` before it
  size_t to = 0;
};

void pass(Place& place, const Edit& edit) {
  place.from += edit.sign != '+' ? 1 : 0;
  place.to += edit.sign != '-' ? 1 : 0;
}

std::string side(size_t before, size_t count) {
  return count == 1 ? fmt::format("{}", before + 1)
                    : fmt::format("{},{}", count == 0 ? before : before + 1, count);
}

void write_hunk(std::string& out, std::span<const Edit> edits, const Place& start) {
  Place end = start;
  std::string body;
  for (const Edit& edit : edits) {
    pass(end, edit);
    body += fmt::format("{}{}\n", edit.sign, edit.line);
  }
  out += fmt::format("@@ -{} +{} @@\n{}", side(start.from, end.from - start.from),
                     side(start.to, end.to - start.to), body);
}

// Changes with at most twice the context between them are one hunk.
std::string hunks_of(std::span<const Edit> edits, Place place) {
  std::string out;
  size_t done = 0;
  for (size_t i = 0; i < edits.size(); ++i) {
    if (edits[i].sign == ' ') {
      continue;
    }
    const size_t begin = std::max(done, i - std::min(i, kContextLines));
    size_t last = i;
    for (size_t j = i; j < edits.size() && j <= last + 2 * kContextLines; ++j) {
      last = edits[j].sign == ' ' ? last : j;
    }
    const size_t end = std::min(edits.size(), last + 1 + kContextLines);
    for (; done < begin; ++done) {
      pass(place, edits[done]);
    }
    write_hunk(out, edits.subspan(begin, end - begin), place);
    for (; done < end; ++done) {
      pass(place, edits[done]);
    }
    i = end - 1;
  }
  return out;
}

}  // namespace

std::string text_diff(std::string_view from, std::string_view to) {
  const std::vector<std::string_view> old_lines = lines_of(from);
  const std::vector<std::string_view> new_lines = lines_of(to);
  const size_t head = common_head(old_lines, new_lines);
  const size_t tail = common_tail(Lines(old_lines).subspan(head), Lines(new_lines).subspan(head));
  // The context of the first and the last change is of the common lines.
  const size_t skip = head - std::min(head, kContextLines);
  const size_t keep = tail - std::min(tail, kContextLines);
  const Lines a = Lines(old_lines).subspan(skip, old_lines.size() - skip - keep);
  const Lines b = Lines(new_lines).subspan(skip, new_lines.size() - skip - keep);
  return hunks_of(edits_of(a, b), {skip, skip});
}

}  // namespace maglb
