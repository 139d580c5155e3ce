// Lines of text cut to the size of a terminal: a head that stays and a body that can be scrolled.
//
// Pure functions. Lines hold no control codes but the colours of table.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace maglb::ctl {

struct Frame {
  std::vector<std::string> head;
  std::vector<std::string> body;
};

struct Screen {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

// The largest offset that still fills the screen.
std::size_t last_offset(const Frame& frame, const Screen& screen);

// The lines of a screen with the body from `offset` on, or from where it still fills the screen: as many
// as there are rows at most, none wider than the screen, without newlines.
std::vector<std::string> fit(const Frame& frame, const Screen& screen, std::size_t offset);

// The first `columns` columns of a line, its colours closed.
std::string clipped(std::string_view line, std::size_t columns);

}  // namespace maglb::ctl
