#include "controlplane/desired/verdicts.h"

#include <algorithm>
#include <set>

namespace maglb {

void Verdicts::remember(const BackendKey& backend, const IpAddress& address, bool healthy) {
  pools_[backend.first][backend.second] = {address, healthy, true};
}

std::vector<std::string> Verdicts::judge_pool(const PoolConfig& pool, const Opinion& opinion) {
  const auto place = pools_.find(pool.name);
  const OfPool* before = place == pools_.end() ? nullptr : &place->second;
  OfPool after;
  std::vector<Verdict*> unknown;
  std::vector<std::string> recovered;
  bool any_healthy = false;
  for (const BackendConfig& backend : pool.backends) {
    Verdict& verdict = after[backend.name];
    verdict.address = backend.address;
    const ProbeOpinion known = opinion(pool.name, backend.name);
    const auto found = before == nullptr ? OfPool::const_iterator() : before->find(backend.name);
    const bool was_here =
        before != nullptr && found != before->end() && found->second.address == backend.address;
    verdict.healthy = known == ProbeOpinion::kUnchecked || known == ProbeOpinion::kHealthy;
    verdict.judged = true;
    if (known == ProbeOpinion::kUnknown) {
      verdict.judged = before == nullptr || (was_here && found->second.judged);
      verdict.healthy = before == nullptr || (verdict.judged && found->second.healthy);
      if (!verdict.judged) {
        unknown.push_back(&verdict);
      }
    }
    if (known == ProbeOpinion::kHealthy && was_here && !found->second.healthy) {
      recovered.push_back(backend.name);
    }
    any_healthy = any_healthy || (verdict.healthy && backend.state == AdminState::kUp && backend.weight > 0);
  }
  if (!any_healthy) {
    std::for_each(unknown.begin(), unknown.end(), [](Verdict* verdict) { verdict->healthy = true; });
  }
  pools_.insert_or_assign(pool.name, std::move(after));
  return recovered;
}

void Verdicts::forget_others(const ServiceConfig& config) {
  std::set<std::string_view> there;
  for (const PoolConfig& pool : config.pools) {
    there.insert(pool.name);
  }
  std::erase_if(pools_, [&there](const auto& entry) { return !there.contains(entry.first); });
}

void Verdicts::judge(const ServiceConfig& config, const Opinion& opinion) {
  forget_others(config);
  for (const PoolConfig& pool : config.pools) {
    judge_pool(pool, opinion);
  }
}

const Verdict& Verdicts::verdict_of(std::string_view pool, std::string_view backend) const {
  return pools_.find(pool)->second.find(backend)->second;
}

bool Verdicts::knows(const BackendKey& backend) const {
  const auto pool = pools_.find(backend.first);
  return pool != pools_.end() && pool->second.contains(backend.second);
}

bool Verdicts::is_healthy(std::string_view pool, std::string_view backend) const {
  return verdict_of(pool, backend).healthy;
}

bool Verdicts::is_judged(std::string_view pool, std::string_view backend) const {
  return verdict_of(pool, backend).judged;
}

}  // namespace maglb
