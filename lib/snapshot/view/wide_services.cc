#include "lib/snapshot/view/wide_services.h"

#include <algorithm>
#include <tuple>

namespace maglb {
namespace {

using Rule = WideServices::Rule;

// A prefix's rules together, in the order in which they are tried.
std::vector<Rule> in_order(std::vector<Rule> rules) {
  const auto rank = [](const Rule& rule) {
    return std::tuple{rule.address, rule.protocol == Protocol::kAny, rule.ports.size(), rule.ports};
  };
  std::sort(rules.begin(), rules.end(), [&](const Rule& a, const Rule& b) { return rank(a) < rank(b); });
  return rules;
}

bool ends_group(const std::vector<Rule>& rules, size_t i) {
  return i + 1 == rules.size() || rules[i].address != rules[i + 1].address;
}

std::vector<std::pair<IpPrefix, uint32_t>> groups_of(const std::vector<Rule>& rules) {
  std::vector<std::pair<IpPrefix, uint32_t>> groups;
  for (size_t i = 0; i < rules.size(); ++i) {
    if (i == 0 || ends_group(rules, i - 1)) {
      groups.emplace_back(rules[i].address, static_cast<uint32_t>(i));
    }
  }
  return groups;
}

}  // namespace

WideServices::WideServices(std::vector<Rule> rules, std::pmr::memory_resource* memory)
    : rules_(memory), groups_(groups_of(rules = in_order(std::move(rules))), memory) {
  rules_.reserve(rules.size());
  for (size_t i = 0; i < rules.size(); ++i) {
    rules_.push_back({rules[i].ports, rules[i].protocol, ends_group(rules, i), rules[i].service});
  }
}

bool WideServices::Ordered::matches(const FlowKey& flow) const {
  if (!ports.contains(flow.destination_port.host())) {
    return false;
  }
  const bool has_ports = flow.protocol == Protocol::kTcp || flow.protocol == Protocol::kUdp;
  return protocol == flow.protocol || (protocol == Protocol::kAny && (has_ports || ports.is_any()));
}

uint32_t WideServices::find(const FlowKey& flow) const {
  uint32_t found = kNone;
  if (rules_.empty()) {
    return found;
  }
  groups_.visit(flow.destination, [&](const IpPrefix&, uint32_t at) {
    while (!rules_[at].matches(flow) && !rules_[at].is_last) {
      ++at;
    }
    found = rules_[at].matches(flow) ? rules_[at].service : kNone;
    return found != kNone;
  });
  return found;
}

}  // namespace maglb
