#include "lib/config/service/address_fault.h"

#include <utility>
#include <vector>

namespace maglb {
namespace {

struct BadPrefix {
  std::string_view prefix;
  std::string_view fault;
};

constexpr BadPrefix kBadPrefixes[] = {
    {"0.0.0.0/8", "is unspecified (0.0.0.0/8)"},  {"127.0.0.0/8", "is a loopback address"},
    {"224.0.0.0/4", "is a multicast address"},    {"255.255.255.255/32", "is the broadcast address"},
    {"240.0.0.0/4", "is reserved (240.0.0.0/4)"}, {"::/128", "is unspecified"},
    {"::1/128", "is a loopback address"},         {"fe80::/10", "is link-local (fe80::/10)"},
    {"ff00::/8", "is a multicast address"},
};

}  // namespace

std::string_view address_fault(const IpPrefix& addresses) {
  static const auto bad = [] {
    std::vector<std::pair<IpPrefix, std::string_view>> list;
    for (const BadPrefix& one : kBadPrefixes) {
      list.emplace_back(*IpPrefix::parse(one.prefix), one.fault);
    }
    return list;
  }();
  for (const auto& [prefix, fault] : bad) {
    if (prefix.overlaps(addresses)) {
      return fault;
    }
  }
  return {};
}

}  // namespace maglb
