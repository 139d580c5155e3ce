// docs/openapi.yaml as it was when this was built.
#pragma once

#include <string_view>

namespace maglb {

std::string_view openapi_text();

}  // namespace maglb
