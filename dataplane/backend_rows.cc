#include "dataplane/backend_rows.h"

#include <algorithm>
#include <utility>

namespace maglb {
namespace {

template <typename Row>
std::vector<Row> rows_of(const Registry::CountedPool& pool) {
  std::vector<Row> rows;
  for (const PlaceRecord& place : pool.record->places) {
    if (place.life == PlaceRecord::Life::kLive) {
      Row& row = rows.emplace_back();
      row.name = place.name;
      row.counter = place.counter;
      row.next_hop = pool.direct_only ? place.next_hop_direct : place.next_hop_routed;
      row.is_passive = pool.record->spec->passive;
    }
  }
  return rows;
}

bool is_same(const std::weak_ptr<const PoolRecord>& a, const std::shared_ptr<const PoolRecord>& b) {
  return !a.owner_before(b) && !b.owner_before(a);
}

}  // namespace

void BackendRows::follow(const Registry& registry) {
  if (registry.generation() == generation_) {
    return;
  }
  generation_ = registry.generation();
  Pools before = std::exchange(pools_, {});
  for (const Registry::CountedPool& now : registry.counted_pools()) {
    auto node = before.extract(now.name);
    OfPool& pool = node.empty() ? pools_[now.name] : pools_.insert(std::move(node)).position->second;
    if (!is_same(pool.record, now.record) || pool.direct_only != now.direct_only) {
      renew(pool, now);
    }
    gone_.erase(now.name);
  }
  for (const auto& [name, pool] : before) {
    forget(name);
  }
}

// A health transition is a new record with the same backends: those rows stay as they are.
void BackendRows::renew(OfPool& pool, const Registry::CountedPool& now) {
  std::vector<Row> rows = rows_of<Row>(now);
  const bool same = std::equal(rows.begin(), rows.end(), pool.rows.begin(), pool.rows.end(),
                               [](const Row& a, const Row& b) {
                                 return a.counter == b.counter && a.next_hop == b.next_hop &&
                                        a.is_passive == b.is_passive && a.name == b.name;
                               });
  if (!same || pool.renewed == 0) {
    pool.rows = std::move(rows);
    pool.renewed = mark_;
  }
  pool.record = now.record;
  pool.direct_only = now.direct_only;
}

void BackendRows::forget(const std::string& name) {
  if (gone_.size() >= bounds_.gone) {
    gone_.clear();
    forgotten_ = mark_;
  }
  gone_[name] = mark_;
}

void BackendRows::tell(const Registry& registry, const ipc::StatsRequest& request, ipc::Stats& reply) {
  ++mark_;
  follow(registry);
  const bool is_first = request.after_pool().empty();
  const bool whole = request.since() == 0 || request.since() < forgotten_ || request.since() >= mark_;
  reply.set_mark(mark_);
  reply.set_changes(!whole || !is_first);
  if (is_first && !whole) {
    tell_gone(request.since(), reply);
  }
  // A peer from before there were marks takes one answer for all.
  const bool in_parts = request.since() != 0;
  size_t looked_at = 0;
  size_t told = 0;
  for (auto at = is_first ? pools_.begin() : pools_.upper_bound(request.after_pool()); at != pools_.end();) {
    looked_at += at->second.rows.size();
    told += tell_pool(at->first, at->second, request.since(), whole, reply);
    const std::string& last = at->first;
    if (++at != pools_.end() && in_parts && (looked_at >= bounds_.looked_at || told >= bounds_.told)) {
      reply.set_more_after(last);
      return;
    }
  }
}

void BackendRows::tell_gone(uint64_t since, ipc::Stats& reply) const {
  for (const auto& [name, mark] : gone_) {
    if (mark > since) {
      reply.add_renewed_pools(name);
    }
  }
}

size_t BackendRows::tell_pool(const std::string& name, OfPool& pool, uint64_t since, bool whole,
                              ipc::Stats& reply) {
  const bool renewed = whole || pool.renewed > since;
  if (renewed && !whole) {
    reply.add_renewed_pools(name);
  }
  size_t told = 0;
  for (Row& row : pool.rows) {
    const Figures now = read_(row.counter, row.next_hop, row.is_passive);
    if (row.changed == 0 || now != row.figures) {
      row.figures = now;
      row.changed = mark_;
    }
    if (renewed || row.changed > since) {
      tell_row(name, row, reply);
      ++told;
    }
  }
  return told;
}

void BackendRows::tell_row(const std::string& pool, const Row& row, ipc::Stats& reply) const {
  ipc::BackendStats& stats = *reply.add_backends();
  stats.set_pool(pool);
  stats.set_name(row.name);
  stats.set_next_hop(describe_hop_(row.next_hop));
  ipc::TrafficStats& traffic = *stats.mutable_traffic();
  traffic.set_packets(row.figures.packets);
  traffic.set_bytes(row.figures.bytes);
  traffic.set_new_flows(row.figures.new_flows);
  stats.set_flows(row.figures.flows);
  stats.set_refused(row.figures.refused);
  if (row.is_passive) {
    const auto& counted = row.figures.signals;
    ipc::BackendSignals& signals = *stats.mutable_signals();
    signals.set_refused(counted[static_cast<size_t>(Signal::kRefused)]);
    signals.set_repeated(counted[static_cast<size_t>(Signal::kRepeated)]);
    signals.set_lapsed(counted[static_cast<size_t>(Signal::kLapsed)]);
  }
}

}  // namespace maglb
