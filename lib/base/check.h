// check() stops the program on a broken invariant of our own. Never for input: that gets an Error.
#pragma once

#include <source_location>

namespace maglb {

[[noreturn]] void check_failed(const char* what, const std::source_location& where);

inline void check(bool holds, const char* what,
                  const std::source_location& where = std::source_location::current()) {
  if (!holds) [[unlikely]] {
    check_failed(what, where);
  }
}

}  // namespace maglb
