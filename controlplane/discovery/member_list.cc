#include "controlplane/discovery/member_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace maglb {

std::string member_name(const IpAddress& address) {
  std::string text = address.to_string();
  if (address.is_v4()) {
    return text;
  }
  std::replace(text.begin(), text.end(), ':', '-');
  return "v6-" + text;
}

Result<Members> MemberList::take() {
  Members members = std::move(members_);
  members_.clear();
  if (members.size() > kMostTold) {
    return fail(ErrorKind::kInvalid, fmt::format("more than {} members are told", kMostTold));
  }
  std::sort(members.begin(), members.end(), [](const BackendConfig& a, const BackendConfig& b) {
    return std::tie(a.address, b.weight, a.name) < std::tie(b.address, a.weight, b.name);
  });
  const auto same_address = [](const BackendConfig& a, const BackendConfig& b) {
    return a.address == b.address;
  };
  members.erase(std::unique(members.begin(), members.end(), same_address), members.end());
  if (members.size() > kMaxPoolBackends) {
    return fail(ErrorKind::kInvalid,
                fmt::format("{} members, at most {} are possible", members.size(), kMaxPoolBackends));
  }
  std::sort(members.begin(), members.end(),
            [](const BackendConfig& a, const BackendConfig& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(members.begin(), members.end(),
                         [](const BackendConfig& a, const BackendConfig& b) { return a.name == b.name; });
  if (twice != members.end()) {
    return fail(ErrorKind::kInvalid,
                fmt::format("two members have the name {}: {} and {}", twice->name,
                            twice->address.to_string(), (twice + 1)->address.to_string()));
  }
  return members;
}

}  // namespace maglb
