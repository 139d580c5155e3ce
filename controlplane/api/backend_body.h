// The bodies that add or change a backend, read strictly: an unknown key is a mistake, not a wish.
#pragma once

#include <string_view>

#include "controlplane/desired/edit.h"
#include "lib/base/error.h"
#include "lib/config/service/model.h"

namespace maglb {

inline constexpr size_t kMaxBackendBody = size_t{64} << 10;

// {"name", "address", "weight"?, "state"?}
Result<BackendConfig> parse_new_backend(std::string_view body);
// {"weight"?, "state"?}, at least one of them.
Result<BackendPatch> parse_backend_patch(std::string_view body);

}  // namespace maglb
