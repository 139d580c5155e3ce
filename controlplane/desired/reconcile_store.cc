// Reconciler: what has to survive this process.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>

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
        saves_.put(row->second);
      }
    }
  }
}

// The disk may take longer than the dataplane: what is to be told of a backend goes first.
void Reconciler::save_when_published() {
  publisher_.when_settled(generation(), kLongestSaveWait, [this, lives = std::weak_ptr(lives_)] {
    if (lives.expired()) {
      return;
    }
    // What is merged just now is in no table yet; it is saved with the next one.
    Names later;
    std::set_intersection(unsaved_.begin(), unsaved_.end(), touched_.begin(), touched_.end(),
                          std::inserter(later, later.end()));
    std::erase_if(unsaved_, [&later](const std::string& pool) { return later.contains(pool); });
    save_health(std::exchange(unsaved_, std::move(later)), false);
  });
}

Reconciler::~Reconciler() {
  if (!unsaved_.empty()) {
    save_health(unsaved_, false);
  }
}

// Behind publishing: a dead backend leaves the table before the disk is waited for. `forget_gone`: rows of
// backends that are no longer configured go, for which all of them are looked at.
void Reconciler::save_health(const Names& pools, bool forget_gone) {
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
        StoredHealth row{name, backend.name, healthy, status->since, status->reason, backend.address};
        saves_.put(row);
        saved_health_.insert_or_assign(key, std::move(row));
      }
    }
  }
  if (forget_gone) {
    std::erase_if(saved_health_, [this](const auto& entry) {
      const bool gone = !verdicts_.knows(entry.first);
      if (gone) {
        saves_.forget_health(entry.first);
      }
      return gone;
    });
  }
  saves_.flush();
}

void Reconciler::save_drains(const std::vector<BackendKey>& changed, const std::vector<BackendKey>& gone) {
  for (const BackendKey& key : changed) {
    saves_.put(drains_.row(key));
  }
  for (const BackendKey& key : gone) {
    saves_.forget_drain(key);
  }
  saves_.flush();
}

void Reconciler::take_saved(const Result<void>& saved) {
  if (saved) {
    store_warning_.clear();
    return;
  }
  store_warning_ = saved.error().message;
  spdlog::error("not stored, tried again: {}", store_warning_);
}

// Of backends that are not probed now, and were: a revert brings them back.
Reconciler::HealthRows Reconciler::health_of_absent() const {
  HealthRows rows;
  for (const auto& entry : saved_health_) {
    if (!falls_.contains(entry.first)) {
      rows.insert(entry);
    }
  }
  return rows;
}

}  // namespace maglb
