// The document and the members that sources found, as one configuration. Pure.
//
// Invariants of what with_members() returns:
//   1. It keeps the promises of model.h if the document does.
//   2. A pool's backends are the document's, in its order, then the found ones, by name. Pools without a
//   source
//      have the document's only.
//   3. Where the document has a found member's address, or else its name, that entry stands for the member:
//      weight, state, health and all else are the document's. Found by name, the address is the member's.
//   4. Nothing that is found keeps the document from being used: what does not go with it is left out.
#pragma once

#include <compare>
#include <map>
#include <string>
#include <vector>

#include "lib/config/service/model.h"

namespace maglb {

using FoundMembers = std::map<std::string, std::vector<BackendConfig>>;  // by pool

struct LeftOut {
  std::string pool;
  std::string backend;
  std::string why;
  friend auto operator<=>(const LeftOut&, const LeftOut&) = default;
};

// Says in `left_out`, if there is one, who is not in it. REQUIRES: the document keeps the promises of
// model.h.
ServiceConfig with_members(const ServiceConfig& document, const FoundMembers& found,
                           std::vector<LeftOut>* left_out = nullptr);

// "2 new (web3, web4), 1 gone (web1), 1 changed (web2): 3 in all".
std::string describe_change(const std::vector<BackendConfig>& before,
                            const std::vector<BackendConfig>& after);

}  // namespace maglb
