#include "controlplane/desired/members.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "lib/base/name.h"
#include "lib/config/service/address_fault.h"

namespace maglb {
namespace {

constexpr size_t kShownNames = 5;

using Addresses = std::set<IpAddress>;

// What the whole document asks of a member, whatever its pool has.
class Rules {
 public:
  Rules(const ServiceConfig& document, const FoundMembers& found) {
    std::map<std::string_view, std::string_view> fallbacks;
    for (const PoolConfig& pool : document.pools) {
      fallbacks[pool.name] = pool.fallback;
    }
    Addresses all;
    for (const auto& [pool, members] : found) {
      for (const BackendConfig& member : members) {
        all.insert(member.address);
      }
    }
    for (const ServiceEntry& service : document.services) {
      const IpPrefix& prefix = service.address;
      for (auto at = all.lower_bound(prefix.address); at != all.end() && prefix.contains(*at); ++at) {
        services_.insert(*at);
      }
      if (service.forward == ForwardMode::kNat) {
        ask_family(service.pool, service.address.is_v4());
        ask_family(std::string(fallbacks[service.pool]), service.address.is_v4());
      }
    }
  }

  // Why it cannot be a backend of the pool; or empty.
  std::string fault(const PoolConfig& pool, const BackendConfig& member) const {
    if (!is_name(member.name)) {
      return fmt::format("expected a name of {}", kNameRule);
    }
    if (const auto fault = address_fault(IpPrefix(member.address)); !fault.empty()) {
      return fmt::format("{} {}", member.address.to_string(), fault);
    }
    if (services_.contains(member.address)) {
      return member.address.to_string() + " is an address of a service";
    }
    const auto family = families_.find(pool.name);
    if (family != families_.end() && !family->second.contains(member.address.is_v4() ? 4 : 6)) {
      return "nat does not translate between IPv4 and IPv6";
    }
    if (member.weight > kMaxWeight || member.max_connections > kMaxConnections) {
      return "its weight or max_connections is out of bounds";
    }
    return "";
  }

 private:
  // A pool that is asked for both families can have neither: nobody fits.
  void ask_family(const std::string& pool, bool v4) {
    const auto [at, is_new] = families_.try_emplace(pool, std::set<int>{v4 ? 4 : 6});
    if (!is_new && !at->second.contains(v4 ? 4 : 6)) {
      at->second.clear();
    }
  }

  Addresses services_;                             // of members that lie within a service's
  std::map<std::string, std::set<int>> families_;  // 4, 6 or none, by pool
};

// Puts the found members into one pool.
class PoolJoin {
 public:
  PoolJoin(PoolConfig& pool, const Rules& rules, const Addresses& taken, std::vector<LeftOut>* left_out)
      : pool_(pool), rules_(rules), taken_(taken), left_out_(left_out) {
    for (size_t i = 0; i < pool.backends.size(); ++i) {
      by_name_[pool.backends[i].name] = i;
      by_address_[pool.backends[i].address] = i;
    }
    listed_ = pool.backends.size();
  }

  void join(std::vector<BackendConfig> members) {
    std::sort(members.begin(), members.end(),
              [](const BackendConfig& a, const BackendConfig& b) { return a.name < b.name; });
    std::erase_if(members, [this](const BackendConfig& member) { return stands_for_itself(member); });
    for (BackendConfig& member : members) {
      if (const std::string why = add(member); !why.empty() && left_out_ != nullptr) {
        left_out_->push_back({pool_.name, member.name, why});
      }
    }
  }

 private:
  // The document has its address.
  bool stands_for_itself(const BackendConfig& member) {
    const auto listed = by_address_.find(member.address);
    if (listed == by_address_.end()) {
      return false;
    }
    met_.insert(listed->second);
    return true;
  }

  std::string add(BackendConfig& member) {
    if (std::string why = rules_.fault(pool_, member); !why.empty()) {
      return why;
    }
    if (taken_.contains(member.address)) {
      return "its address is one of the fallback's, or of a pool whose fallback this is";
    }
    if (by_address_.contains(member.address)) {
      return "another has its address";
    }
    const auto named = by_name_.find(member.name);
    if (named != by_name_.end()) {
      return take_place(named->second, member);
    }
    if (pool_.backends.size() >= std::min<size_t>(kMaxPoolBackends, pool_.table_size - 1)) {
      return "the pool is full: its table_size, or the bound on backends, has no more";
    }
    by_name_[member.name] = by_address_[member.address] = pool_.backends.size();
    pool_.backends.push_back(std::move(member));
    return "";
  }

  std::string take_place(size_t index, const BackendConfig& member) {
    if (index >= listed_ || !met_.insert(index).second) {
      return "another has its name";
    }
    by_address_.erase(pool_.backends[index].address);
    by_address_[member.address] = index;
    pool_.backends[index].address = member.address;
    return "";
  }

  PoolConfig& pool_;
  const Rules& rules_;
  const Addresses& taken_;
  std::vector<LeftOut>* left_out_;
  std::map<std::string, size_t, std::less<>> by_name_;
  std::map<IpAddress, size_t> by_address_;
  std::set<size_t> met_;  // of the document's: who stands for a member
  size_t listed_ = 0;
};

void add_addresses(const PoolConfig& pool, Addresses& to) {
  for (const BackendConfig& backend : pool.backends) {
    to.insert(backend.address);
  }
}

// Whose addresses the pool cannot have: those of its fallback, and of the pools that it is the fallback of.
Addresses taken_for(const ServiceConfig& config, const PoolConfig& pool) {
  Addresses taken;
  for (const PoolConfig& other : config.pools) {
    if (other.name == pool.fallback || other.fallback == pool.name) {
      add_addresses(other, taken);
    }
  }
  return taken;
}

std::string names_of(const std::vector<std::string>& names) {
  const auto shown = names.begin() + static_cast<ptrdiff_t>(std::min(names.size(), kShownNames));
  return fmt::format("{}{}", fmt::join(names.begin(), shown, ", "),
                     names.size() > kShownNames ? ", ..." : "");
}

}  // namespace

ServiceConfig with_members(const ServiceConfig& document, const FoundMembers& found,
                           std::vector<LeftOut>* left_out) {
  ServiceConfig config = document;
  if (found.empty()) {
    return config;
  }
  const Rules rules(document, found);
  // Fallbacks last: where two want one address, the pool in front has it.
  for (const bool fallbacks : {false, true}) {
    for (PoolConfig& pool : config.pools) {
      const auto members = found.find(pool.name);
      if (pool.source.type == SourceType::kStatic || members == found.end()) {
        continue;
      }
      const bool is_fallback =
          std::any_of(config.pools.begin(), config.pools.end(),
                      [&](const PoolConfig& other) { return other.fallback == pool.name; });
      if (is_fallback == fallbacks) {
        PoolJoin(pool, rules, taken_for(config, pool), left_out).join(members->second);
      }
    }
  }
  return config;
}

std::string describe_change(const std::vector<BackendConfig>& before,
                            const std::vector<BackendConfig>& after) {
  std::map<std::string, const BackendConfig*> old;
  for (const BackendConfig& backend : before) {
    old[backend.name] = &backend;
  }
  std::vector<std::string> added;
  std::vector<std::string> gone;
  std::vector<std::string> changed;
  for (const BackendConfig& backend : after) {
    const auto was = old.find(backend.name);
    if (was == old.end()) {
      added.push_back(backend.name);
      continue;
    }
    if (!(*was->second == backend)) {
      changed.push_back(backend.name);
    }
    old.erase(was);
  }
  for (const auto& [name, backend] : old) {
    gone.push_back(name);
  }
  std::vector<std::string> parts;
  const std::pair<const char*, const std::vector<std::string>*> lists[] = {
      {"new", &added}, {"gone", &gone}, {"changed", &changed}};
  for (const auto& [word, names] : lists) {
    if (!names->empty()) {
      parts.push_back(fmt::format("{} {} ({})", names->size(), word, names_of(*names)));
    }
  }
  return fmt::format("{}: {} in all", fmt::join(parts, ", "), after.size());
}

}  // namespace maglb
