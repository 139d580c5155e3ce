#include "controlplane/desired/verdicts.h"

#include <algorithm>

namespace maglb {

void Verdicts::remember(const BackendKey& backend, const IpAddress& address, bool healthy) {
  pools_[backend.first][backend.second] = {address, healthy};
}

Verdicts::OfPool Verdicts::judge_pool(const PoolConfig& pool, const OfPool* before, const Opinion& opinion) {
  OfPool after;
  std::vector<Verdict*> unknown;
  bool any_healthy = false;
  for (const BackendConfig& backend : pool.backends) {
    Verdict& verdict = after[backend.name];
    verdict.address = backend.address;
    const ProbeOpinion known = opinion(pool.name, backend.name);
    verdict.healthy = known == ProbeOpinion::kUnchecked || known == ProbeOpinion::kHealthy;
    if (known == ProbeOpinion::kUnknown) {
      unknown.push_back(&verdict);
      verdict.healthy = before == nullptr;
      if (before != nullptr) {
        const auto found = before->find(backend.name);
        verdict.healthy =
            found != before->end() && found->second.address == backend.address && found->second.healthy;
      }
    }
    any_healthy = any_healthy || (verdict.healthy && backend.state == AdminState::kUp && backend.weight > 0);
  }
  if (!any_healthy) {
    std::for_each(unknown.begin(), unknown.end(), [](Verdict* verdict) { verdict->healthy = true; });
  }
  return after;
}

void Verdicts::judge(const ServiceConfig& config, const Opinion& opinion) {
  decltype(pools_) after;
  for (const PoolConfig& pool : config.pools) {
    const auto before = pools_.find(pool.name);
    after.emplace(pool.name, judge_pool(pool, before == pools_.end() ? nullptr : &before->second, opinion));
  }
  pools_ = std::move(after);
}

bool Verdicts::is_healthy(std::string_view pool, std::string_view backend) const {
  return pools_.find(pool)->second.find(backend)->second.healthy;
}

}  // namespace maglb
