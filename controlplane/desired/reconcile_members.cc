// The part of the Reconciler that joins the document with the members that were found.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "controlplane/desired/reconciler.h"
#include "controlplane/desired/room_search.h"

namespace maglb {
namespace {

// Events of one list: who has a thousand bad members knows after some.
constexpr size_t kMostToldOfAList = 20;

bool has_source(const ServiceConfig& config, std::string_view pool) {
  const PoolConfig* found = find_pool(config, pool);
  return found != nullptr && found->source.type != SourceType::kStatic;
}

const std::vector<BackendConfig>& list_of(const FoundMembers& found, const std::string& pool) {
  static const std::vector<BackendConfig> kNobody;
  const auto known = found.find(pool);
  return known == found.end() ? kNobody : known->second;
}

}  // namespace

// What the store has is as hostile as what a source says: with_members() looks at it all.
Result<void> Reconciler::load_members() {
  const auto stored = store_.members();
  if (!stored) {
    return tl::unexpected<Error>(stored.error());
  }
  for (const StoredMember& row : *stored) {
    const auto address = IpAddress::parse(row.address);
    if (address) {
      BackendConfig member{row.name, *address, row.weight};
      member.max_connections = row.max_connections;
      members_[row.pool].push_back(std::move(member));
    }
  }
  return {};
}

// At the start only: a document that takes a pool's source away may be taken back.
void Reconciler::forget_members() {
  for (auto at = members_.begin(); at != members_.end();) {
    if (has_source(listed_, at->first)) {
      ++at;
      continue;
    }
    saves_.put_members(at->first, {});
    at = members_.erase(at);
  }
  saves_.flush();
}

void Reconciler::adopt_document(ServiceConfig listed, const HealthRows& known) {
  listed_ = std::move(listed);
  std::vector<LeftOut> left_out;
  adopt(with_members(listed_, members_, &left_out), known);
  tell_left_out(left_out);
  if (document_changed_) {
    document_changed_();
  }
  try_refused_members();
}

void Reconciler::set_members(const FoundMembers& told) {
  FoundMembers changed;
  for (const auto& [pool, members] : told) {
    const auto refused = refused_members_.find(pool);
    if (refused != refused_members_.end() && refused->second.members == members) {
      continue;
    }
    refused_members_.erase(pool);
    if (has_source(listed_, pool) && list_of(members_, pool) != members) {
      changed[pool] = members;
    }
  }
  for (RefusedMembers& refused : take_members(changed)) {
    const std::string text =
        fmt::format("{} members were not taken: {}", refused.members.size(), refused.why);
    spdlog::error("pool {}: {}", refused.pool, text);
    events_.record(EventKind::kMembers, refused.pool, "", text);
    const std::string pool = refused.pool;
    refused_members_.insert_or_assign(pool, std::move(refused));
  }
  try_refused_members_later();
}

// Those for which there is room, all together; returns the others.
std::vector<Reconciler::RefusedMembers> Reconciler::take_members(const FoundMembers& changed) {
  if (changed.empty()) {
    return {};
  }
  RoomSearch search(members_,
                    [this](const FoundMembers& members) { return room_for(with_members(listed_, members)); });
  search.add(changed);
  if (search.fitting() != members_) {
    adopt_members(search.fitting());
  }
  std::vector<RefusedMembers> refused;
  for (const auto& [pool, why] : search.refused()) {
    refused.push_back({pool, changed.at(pool), why});
  }
  return refused;
}

void Reconciler::adopt_members(FoundMembers next) {
  FoundMembers changed;
  for (const auto& [pool, members] : next) {
    const std::vector<BackendConfig>& before = list_of(members_, pool);
    if (before == members) {
      continue;
    }
    const std::string text = describe_change(before, members);
    spdlog::info("pool {}: members: {}", pool, text);
    events_.record(EventKind::kMembers, pool, "", text);
    changed[pool] = members;
  }
  members_ = std::move(next);
  std::vector<LeftOut> left_out;
  ServiceConfig config = with_members(listed_, members_, &left_out);
  tell_left_out(left_out);
  if (!(config == config_)) {
    adopt(std::move(config), {});
  }
  save_members(changed);
}

void Reconciler::try_refused_members() {
  FoundMembers again;
  for (const auto& [pool, refused] : std::exchange(refused_members_, {})) {
    if (has_source(listed_, pool)) {
      again[pool] = refused.members;
    }
  }
  for (RefusedMembers& refused : take_members(again)) {
    const std::string pool = refused.pool;
    refused_members_.insert_or_assign(pool, std::move(refused));
  }
  try_refused_members_later();
}

void Reconciler::try_refused_members_later() {
  if (refused_members_.empty()) {
    members_timer_.cancel();
    return;
  }
  members_timer_.expires_after(kMembersRetry);
  members_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      try_refused_members();
    }
  });
}

// Behind publishing, as save_health().
void Reconciler::save_members(const FoundMembers& changed) {
  for (const auto& [pool, members] : changed) {
    std::vector<StoredMember> rows;
    for (const BackendConfig& member : members) {
      rows.push_back({pool, member.name, member.address.to_string(), member.weight, member.max_connections});
    }
    saves_.put_members(pool, std::move(rows));
  }
  saves_.flush();
}

void Reconciler::tell_left_out(const std::vector<LeftOut>& left_out) {
  size_t told = 0;
  for (const LeftOut& one : left_out) {
    if (left_out_.contains(one)) {
      continue;
    }
    if (++told > kMostToldOfAList) {
      break;
    }
    spdlog::warn("pool {}: member {} is left out: {}", one.pool, one.backend, one.why);
    events_.record(EventKind::kMembers, one.pool, one.backend, "left out: " + one.why);
  }
  left_out_ = {left_out.begin(), left_out.end()};
}

void Reconciler::set_source_condition(const std::string& pool, const std::string& text) {
  if (text.empty()) {
    source_conditions_.erase(pool);
  } else {
    source_conditions_[pool] = text;
  }
}

}  // namespace maglb
