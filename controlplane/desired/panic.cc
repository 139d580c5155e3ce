#include "controlplane/desired/panic.h"

#include <algorithm>

namespace maglb {

bool is_wanted(const BackendConfig& backend) {
  return backend.state == AdminState::kUp && backend.weight > 0;
}

PoolCount count_pool(const PoolConfig& pool, const Verdicts& verdicts) {
  PoolCount count;
  for (const BackendConfig& backend : pool.backends) {
    if (!is_wanted(backend)) {
      continue;
    }
    const bool judged = verdicts.is_judged(pool.name, backend.name);
    ++(judged ? count.wanted : count.unjudged);
    count.healthy += judged && verdicts.is_healthy(pool.name, backend.name) ? 1 : 0;
  }
  return count;
}

uint32_t needed_healthy(const Quorum& min_healthy, uint32_t wanted) {
  if (!min_healthy.is_percent) {
    return std::min(min_healthy.value, wanted);
  }
  const uint64_t percent = std::min<uint64_t>(min_healthy.value, 100);
  return static_cast<uint32_t>((wanted * percent + 99) / 100);
}

bool is_panic(const Quorum& min_healthy, const PoolCount& count) {
  return count.healthy < needed_healthy(min_healthy, count.wanted);
}

}  // namespace maglb
