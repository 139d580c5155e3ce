// Runtime changes of one backend, as edits of the configuration. Pure. What the result must keep is
// checked where every document is: by reading it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/config/service/model.h"

namespace maglb {

struct BackendPatch {
  std::optional<uint32_t> weight;
  std::optional<AdminState> state;
};

PoolConfig* find_pool(ServiceConfig& config, std::string_view pool);
const PoolConfig* find_pool(const ServiceConfig& config, std::string_view pool);
const BackendConfig* find_backend(const PoolConfig& pool, std::string_view backend);

// kNotFound: no such pool or backend. kConflict: a backend of that name is there already.
Result<ServiceConfig> with_backend_added(ServiceConfig config, std::string_view pool, BackendConfig backend);
Result<ServiceConfig> with_backend_removed(ServiceConfig config, std::string_view pool,
                                           std::string_view backend);
Result<ServiceConfig> with_backend_patched(ServiceConfig config, std::string_view pool,
                                           std::string_view backend, const BackendPatch& patch);

// Whether the running configuration has a backend that the document does not list.
bool is_found(const ServiceConfig& running, const ServiceConfig& document, std::string_view pool,
              std::string_view backend);
// The document with a backend that was found: to be changed in it, as an override. REQUIRES: is_found().
ServiceConfig with_backend_listed(ServiceConfig document, const ServiceConfig& running, std::string_view pool,
                                  std::string_view backend);

// For the history: "backend web3 of pool web: weight 100 -> 50".
std::string describe_patch(const ServiceConfig& config, std::string_view pool, std::string_view backend,
                           const BackendPatch& patch);

}  // namespace maglb
