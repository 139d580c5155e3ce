#include "controlplane/desired/fallback.h"

namespace maglb {

std::string fallback_name(std::string_view fallback, std::string_view backend) {
  std::string name(fallback);
  name += ':';
  name += backend;
  return name;
}

bool fallback_serves(const PoolCount& own, bool panic, const PoolCount& fallback, bool served) {
  const bool on_trial = own.wanted == 0 && own.unjudged > 0;
  return own.healthy == 0 && !panic && (served || (fallback.healthy > 0 && !on_trial));
}

void add_fallback(PoolConfig& pool, const PoolConfig& fallback, bool serves) {
  for (BackendConfig backend : fallback.backends) {
    backend.name = fallback_name(fallback.name, backend.name);
    backend.server_ids.clear();
    backend.health = backend.health.value_or(fallback.health);
    if (backend.max_connections == 0) {
      backend.max_connections = fallback.max_connections;
    }
    if (!serves && backend.state == AdminState::kUp) {
      backend.state = AdminState::kDrain;
    }
    pool.backends.push_back(std::move(backend));
  }
}

}  // namespace maglb
