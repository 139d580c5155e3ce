// The part of the Reconciler that joins the document with the members that were found.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "controlplane/desired/reconciler.h"

namespace maglb {
namespace {

// Events of one list: who has a thousand bad members knows after some.
constexpr size_t kMostToldOfAList = 20;

bool has_source(const ServiceConfig& config, std::string_view pool) {
  const PoolConfig* found = find_pool(config, pool);
  return found != nullptr && found->source.type != SourceType::kStatic;
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
}

void Reconciler::set_members(const FoundMembers& told) {
  FoundMembers next = members_;
  FoundMembers changed;
  for (const auto& [pool, members] : told) {
    if (has_source(listed_, pool) && next[pool] != members) {
      changed[pool] = next[pool] = members;
    }
  }
  if (changed.empty()) {
    return;
  }
  std::vector<LeftOut> left_out;
  ServiceConfig config = with_members(listed_, next, &left_out);
  if (const auto room = room_for(config); !room) {
    for (const auto& [pool, members] : changed) {
      const std::string text =
          fmt::format("{} members were not taken: {}", members.size(), room.error().message);
      spdlog::error("pool {}: {}", pool, text);
      events_.record(EventKind::kMembers, pool, "", text);
    }
    return;
  }
  for (const auto& [pool, members] : changed) {
    const std::string text = describe_change(members_[pool], members);
    spdlog::info("pool {}: members: {}", pool, text);
    events_.record(EventKind::kMembers, pool, "", text);
  }
  members_ = std::move(next);
  tell_left_out(left_out);
  if (!(config == config_)) {
    adopt(std::move(config), {});
  }
  save_members(changed);
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
