// A list of members in the making: named, sorted, each address once, bounded.
#pragma once

#include <string>
#include <string_view>

#include "controlplane/discovery/member_source.h"
#include "lib/base/error.h"
#include "lib/net/address.h"

namespace maglb {

// "10.0.1.11"; "v6-2001-db8--b" for 2001:db8::b. Different for different addresses.
std::string member_name(const IpAddress& address);

class MemberList {
 public:
  // The same address may be told often; beyond kMostTold the list is refused by take().
  static constexpr size_t kMostTold = size_t{4} * kMaxPoolBackends;
  void add(BackendConfig member) {
    if (members_.size() <= kMostTold) {
      members_.push_back(std::move(member));
    }
  }
  void add(const IpAddress& address, uint32_t weight) { add({member_name(address), address, weight}); }
  bool empty() const { return members_.empty(); }

  // As invariant 2 of member_source.h asks. Of two with one address the one with the greater weight stays.
  // kInvalid: more than kMaxPoolBackends are left, or two addresses under one name.
  Result<Members> take();

 private:
  Members members_;
};

}  // namespace maglb
