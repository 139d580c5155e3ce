// check() stops the program on a broken invariant of our own. Never for input: that gets an Error.
#pragma once

namespace maglb {

[[noreturn]] void check_failed(const char* what, const char* file, int line);

// The place is asked by builtins: std::source_location is not in clang 14.
inline void check(bool holds, const char* what, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  if (!holds) [[unlikely]] {
    check_failed(what, file, line);
  }
}

}  // namespace maglb
