#include "controlplane/desired/preview.h"

#include <string_view>
#include <unordered_map>

namespace maglb {
namespace {

// The pools of `config` that `other` has not, or has otherwise: another seed makes all tables anew.
ServiceConfig without_common(const ServiceConfig& config, const ServiceConfig& other) {
  std::unordered_map<std::string_view, const PoolConfig*> others;
  for (const PoolConfig& pool : other.pools) {
    others.emplace(pool.name, &pool);
  }
  ServiceConfig alone = config;
  alone.services.clear();
  std::erase_if(alone.pools, [&](const PoolConfig& pool) {
    const auto found = others.find(pool.name);
    return config.seed == other.seed && found != others.end() && *found->second == pool;
  });
  return alone;
}

}  // namespace

std::vector<PoolChurn> preview(const ServiceConfig& from, const ServiceConfig& to,
                               const HealthOf& is_healthy) {
  const Compiled before = compile(without_common(from, to), is_healthy, nullptr);
  return churn(before, compile(without_common(to, from), is_healthy, &before));
}

}  // namespace maglb
