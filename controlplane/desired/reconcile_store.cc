// Reconciler: what has to survive this process.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "controlplane/desired/reconciler.h"

namespace maglb {

// Rows of a schema without addresses are about the document that was stored beside them.
void Reconciler::give_addresses(const StoredDocument& of) {
  const auto lacks_one = [](const auto& entry) { return !entry.second.address; };
  if (std::none_of(saved_health_.begin(), saved_health_.end(), lacks_one)) {
    return;
  }
  const auto config = read_document(of.text, "the stored document");
  if (!config) {
    return;
  }
  const ServiceConfig then = with_members(*config, members_);
  for (const PoolConfig& pool : then.pools) {
    for (const BackendConfig& backend : pool.backends) {
      const auto row = saved_health_.find({pool.name, backend.name});
      if (row != saved_health_.end() && lacks_one(*row)) {
        row->second.address = backend.address;
      }
    }
  }
}

// Behind publishing: a dead backend leaves the table before the disk is waited for. `forget_gone`: rows of
// backends that are no longer configured go, for which all of them are looked at.
void Reconciler::save_health(const Names& pools, bool forget_gone) {
  std::vector<StoredHealth> upserts;
  std::vector<BackendKey> removals;
  for (const std::string& name : pools) {
    const PoolConfig* pool = pool_named(name);
    if (pool == nullptr || tables_.at(name).stale) {
      continue;
    }
    for (const BackendConfig& backend : pool->backends) {
      const BackendKey key{name, backend.name};
      const auto status = prober_.status(name, backend.name);
      if (!status || status->health == Health::kUnknown || guard_.holds(key)) {
        continue;
      }
      const bool healthy = status->health == Health::kHealthy;
      const auto saved = saved_health_.find(key);
      if (saved == saved_health_.end() || saved->second.healthy != healthy ||
          saved->second.address != backend.address) {
        upserts.push_back({name, backend.name, healthy, status->since, status->reason, backend.address});
      }
    }
  }
  if (forget_gone) {
    std::set<BackendKey> configured;
    for (const PoolConfig& pool : config_.pools) {
      for (const BackendConfig& backend : pool.backends) {
        configured.emplace(pool.name, backend.name);
      }
    }
    for (const auto& [key, row] : saved_health_) {
      if (!configured.contains(key)) {
        removals.push_back(key);
      }
    }
  }
  if (upserts.empty() && removals.empty()) {
    return;
  }
  const auto saved = store_.save_health_changes(upserts, removals);
  take_saved(saved, "health");
  if (!saved) {
    return;
  }
  for (StoredHealth& row : upserts) {
    BackendKey key{row.pool, row.backend};
    saved_health_.insert_or_assign(std::move(key), std::move(row));
  }
  for (const BackendKey& key : removals) {
    saved_health_.erase(key);
  }
}

void Reconciler::save_drains(const std::vector<BackendKey>& changed, const std::vector<BackendKey>& gone) {
  if (changed.empty() && gone.empty()) {
    return;
  }
  std::vector<StoredDrain> rows;
  for (const BackendKey& key : changed) {
    rows.push_back(drains_.row(key));
  }
  take_saved(store_.save_drain_changes(rows, gone), "a drain");
}

void Reconciler::take_saved(const Result<void>& saved, const char* what) {
  if (saved) {
    store_warning_.clear();
    return;
  }
  store_warning_ = saved.error().message;
  spdlog::error("{} was not stored: {}", what, store_warning_);
}

}  // namespace maglb
