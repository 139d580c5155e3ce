// Address -> what is configured for the longest prefix that holds it, and for the others that do. Both
// families in one map.
//
// Layout: the prefixes of a family, nested as they are, cut its addresses into at most 2n + 1 ranges in
// each of which the longest match is the same. Per family: an index of the ranges' starts
// (lib/net/range_index.h), for each range the number of its longest prefix, and the prefixes, each with the
// number of the one that encloses it. The matches of an address are one walk outward, never a search.
//
//   address -> [index of starts] -> range -> [longest_] -> prefix -> [prefixes_] -> enclosing -> ...
//
// Why not a table per length, or a trie: a table per length costs a cache miss for each length present, up
// to 129, and its hash has to be keyed; a trie over IPv6 is as deep as the longest prefix below the address
// looked for, which the sender of a packet chooses. Here every lookup among 100,000 prefixes reads at most
// 5 lines of the index for IPv4 and 6 pairs for IPv6, of which the upper levels (55 KB; 460 KB) stay cached,
// then one line of longest_ and one or two of prefixes_.
//
// Invariants:
// 1. No address of one family reaches a prefix of the other: the families' parts share nothing.
// 2. A prefix's enclosing one lies in front of it in prefixes_, so that a walk outward ends, after at most
//    33 (IPv4) or 129 (IPv6) prefixes if no two are equal.
// 3. Equal prefixes are all kept: the one given first is the longest match, the others follow it in the
//    order given.
//
// Memory: at most 46 bytes a prefix of IPv4, 73 of IPv6: 7.3 MB for 100,000 prefixes. While it is built,
// about as much again from the ordinary heap.
//
// Immutable once built: any number of readers, which write nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "lib/net/prefix.h"
#include "lib/net/range_index.h"

namespace maglb {

class PrefixMap {
 public:
  using Input = std::pair<IpPrefix, uint32_t>;
  static constexpr size_t kMostPrefixes = 100'000;

  // REQUIRES: at most kMostPrefixes, none with bits set beyond its length (else the program stops);
  // `memory` outlives the map.
  PrefixMap(std::span<const Input> prefixes, std::pmr::memory_resource* memory);
  PrefixMap(const PrefixMap&) = delete;
  PrefixMap& operator=(const PrefixMap&) = delete;

  // The value of the longest prefix that holds the address.
  std::optional<uint32_t> find(const IpAddress& address) const {
    std::optional<uint32_t> found;
    visit(address, [&](const IpPrefix&, uint32_t value) {
      found = value;
      return true;
    });
    return found;
  }

  // visitor(const IpPrefix&, uint32_t value) for every prefix that holds the address, the longest first,
  // until it returns true. Whether it did.
  template <typename Visitor>
  bool visit(const IpAddress& address, Visitor&& visitor) const {
    return address.is_v4() ? v4_.visit(RangesV4::key(address), visitor)
                           : v6_.visit(RangesV6::key(address), visitor);
  }

  size_t size() const { return v4_.prefixes_.size() + v6_.prefixes_.size(); }
  // Taken from `memory`.
  size_t memory_bytes() const;

 private:
  static constexpr uint32_t kNone = ~uint32_t{0};

  struct Entry {
    IpPrefix prefix;
    uint32_t value;
    uint32_t enclosing;  // in prefixes_, or kNone
  };
  static_assert(sizeof(Entry) == 28);

  // The ranges, while they are built.
  template <typename Family>
  struct Cut;

  template <typename Family>
  struct Part {
    // `sorted`: prefixes of this family by address and then length: each behind those that enclose it.
    Part(std::span<const Input> sorted, std::pmr::memory_resource* memory);
    Part(std::span<const Input> sorted, const Cut<Family>& cut, std::pmr::memory_resource* memory);

    template <typename Visitor>
    bool visit(const typename Family::Key& key, Visitor& visitor) const {
      if (starts_.empty()) {
        return false;
      }
      for (uint32_t i = longest_[starts_.find(key)]; i != kNone; i = prefixes_[i].enclosing) {
        if (visitor(prefixes_[i].prefix, prefixes_[i].value)) {
          return true;
        }
      }
      return false;
    }
    size_t memory_bytes() const;

    RangeIndex<Family> starts_;
    std::pmr::vector<uint32_t> longest_;  // of each range, in prefixes_, or kNone
    std::pmr::vector<Entry> prefixes_;
  };

  Part<RangesV4> v4_;
  Part<RangesV6> v6_;
};

}  // namespace maglb
