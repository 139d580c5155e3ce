#include "lib/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace maglb {

void check_failed(const char* what, const std::source_location& where) {
  std::fprintf(stderr, "%s:%u: %s: invariant broken: %s\n", where.file_name(), where.line(),
               where.function_name(), what);
  std::abort();
}

}  // namespace maglb
