#include "lib/base/error.h"

#include <system_error>

namespace maglb {

tl::unexpected<Error> fail_errno(std::string_view what, int error_number) {
  return fail(ErrorKind::kSystem, std::string(what) + ": " + std::generic_category().message(error_number));
}

}  // namespace maglb
