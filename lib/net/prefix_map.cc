#include "lib/net/prefix_map.h"

#include <algorithm>

#include "lib/base/check.h"

namespace maglb {
namespace {

IpAddress last_address(const IpPrefix& prefix) {
  IpAddress last = prefix.address;
  for (size_t i = 0; i < last.bytes.size(); ++i) {
    const int kept = std::clamp(prefix.length - static_cast<int>(i) * 8, 0, 8);
    last.bytes[i] = static_cast<uint8_t>(last.bytes[i] | (0xff >> kept));
  }
  return last;
}

// One family's, by address and then length: each behind those that enclose it. Of equal ones the first
// given comes last, for the last is the innermost.
std::vector<PrefixMap::Input> sorted(std::span<const PrefixMap::Input> prefixes, bool v4) {
  check(prefixes.size() <= PrefixMap::kMostPrefixes, "a prefix map of too many prefixes");
  std::vector<PrefixMap::Input> some;
  for (size_t i = prefixes.size(); i-- > 0;) {
    const IpPrefix& prefix = prefixes[i].first;
    check(prefix.length <= IpPrefix::kBits && masked(prefix.address, prefix.length) == prefix.address,
          "a prefix with bits beyond its length");
    if (prefix.is_v4() == v4) {
      some.push_back(prefixes[i]);
    }
  }
  std::stable_sort(some.begin(), some.end(),
                   [](const PrefixMap::Input& a, const PrefixMap::Input& b) { return a.first < b.first; });
  return some;
}

}  // namespace

// A sweep over the prefixes in order. Those that hold the place reached are open, the innermost last.
template <typename Family>
struct PrefixMap::Cut {
  using Key = typename Family::Key;
  struct Open {
    Key last;
    uint32_t number;
  };

  explicit Cut(std::span<const Input> prefixes) {
    start(Key{}, kNone);
    for (uint32_t i = 0; i < prefixes.size(); ++i) {
      const Key first = Family::key(prefixes[i].first.address);
      while (!open.empty() && open.back().last < first) {
        close();
      }
      enclosing.push_back(innermost());
      open.push_back({Family::key(last_address(prefixes[i].first)), i});
      start(first, i);
    }
    while (!open.empty()) {
      close();
    }
  }

  uint32_t innermost() const { return open.empty() ? kNone : open.back().number; }
  void close() {
    const Key last = open.back().last;
    open.pop_back();
    if (last != Family::kHighest) {
      start(last + 1, innermost());
    }
  }
  // What begins or ends last at a place is what holds there.
  void start(Key key, uint32_t number) {
    if (!starts.empty() && starts.back() == key) {
      longest.back() = number;
    } else {
      starts.push_back(key);
      longest.push_back(number);
    }
  }

  std::vector<Open> open;
  std::vector<Key> starts;
  std::vector<uint32_t> longest;    // of each range
  std::vector<uint32_t> enclosing;  // of each prefix
};

template <typename Family>
PrefixMap::Part<Family>::Part(std::span<const Input> sorted, std::pmr::memory_resource* memory)
    : Part(sorted, Cut<Family>(sorted), memory) {}

template <typename Family>
PrefixMap::Part<Family>::Part(std::span<const Input> sorted, const Cut<Family>& cut,
                              std::pmr::memory_resource* memory)
    : starts_(cut.starts, memory),
      longest_(cut.longest.begin(), cut.longest.end(), memory),
      prefixes_(memory) {
  prefixes_.reserve(sorted.size());
  for (size_t i = 0; i < sorted.size(); ++i) {
    prefixes_.push_back({sorted[i].first, sorted[i].second, cut.enclosing[i]});
  }
}

template <typename Family>
size_t PrefixMap::Part<Family>::memory_bytes() const {
  return starts_.memory_bytes() + longest_.capacity() * sizeof(uint32_t) +
         prefixes_.capacity() * sizeof(Entry);
}

PrefixMap::PrefixMap(std::span<const Input> prefixes, std::pmr::memory_resource* memory)
    : v4_(sorted(prefixes, true), memory), v6_(sorted(prefixes, false), memory) {}

size_t PrefixMap::memory_bytes() const {
  return v4_.memory_bytes() + v6_.memory_bytes();
}

}  // namespace maglb
