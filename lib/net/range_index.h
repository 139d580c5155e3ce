// The place of an address among sorted starts of ranges: the last start that is not above it.
//
// Layout: a B-tree without pointers, built once. The lowest level is all starts in order, cut into nodes of
// one cache line (IPv4: 16 of them) or two neighbouring ones (IPv6: 8); each level above holds the first
// start of every node of the one below, until a level is one node. The child's place follows from the
// entry's, so a node is nothing but starts, and the search within it compares them all without a branch.
//
// 1. Every level is ascending and strictly so within its size; the first start of all is 0, so that every
//    address has a place.
// 2. Behind a level's size, its last node is filled up with the highest number. An address that is itself
//    that number counts them in; the place is therefore cut to the size.
//
// A search reads one node a level whatever the address: log16(n) + 1 cache lines for IPv4, 5 for 200,000
// ranges; log8(n) + 1 pairs of lines for IPv6, 6 for 200,000. There is no hash to collide and no path to
// lengthen. Memory: 4 * 16/15 bytes a range for IPv4, 16 * 8/7 for IPv6, and at most a node a level.
//
// Immutable once built: any number of readers.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <span>
#include <vector>

#include "lib/net/address.h"

namespace maglb {

// An IPv6 address as a number: compared by a subtraction with borrow, a third of the instructions of
// comparing two halves.
__extension__ using Number128 = unsigned __int128;

// What the index needs of each family.
struct RangesV4 {
  using Key = uint32_t;
  static constexpr size_t kNode = 16;
  static constexpr Key kHighest = std::numeric_limits<uint32_t>::max();

  static Key key(const IpAddress& address) { return address.to_v4().host(); }
};
struct RangesV6 {
  using Key = Number128;
  static constexpr size_t kNode = 8;
  static constexpr Key kHighest = ~Key{0};

  static Key key(const IpAddress& address) {
    return Key{__builtin_bswap64(load_le64(address.bytes.data()))} << 64 |
           __builtin_bswap64(load_le64(address.bytes.data() + 8));
  }
};

template <typename Family>
class RangeIndex {
 public:
  using Key = typename Family::Key;

  // REQUIRES: ascending, without equals; the first is 0, or there is none.
  RangeIndex(std::span<const Key> starts, std::pmr::memory_resource* memory) : nodes_(memory) {
    nodes_.reserve(nodes_for(starts.size()));
    std::vector<Key> level(starts.begin(), starts.end());
    while (!level.empty()) {
      level = add_level(level);
    }
  }

  bool empty() const { return levels_ == 0; }
  // 0..starts - 1. REQUIRES: !empty().
  uint32_t find(const Key& key) const {
    uint32_t place = 0;
    for (uint32_t level = levels_; level-- > 0;) {
      const Node& node = nodes_[first_node_[level] + place];
      uint32_t not_above = 0;
      for (const Key& start : node.starts) {
        not_above += start <= key ? 1 : 0;
      }
      const auto inner = static_cast<uint32_t>(place * Family::kNode + not_above - 1);
      place = std::min(inner, size_[level] - 1);
    }
    return place;
  }
  size_t memory_bytes() const { return nodes_.capacity() * sizeof(Node); }

 private:
  static constexpr size_t kMostLevels = 11;  // 8^11 > 2^32 starts

  struct alignas(64) Node {
    std::array<Key, Family::kNode> starts;
  };
  static_assert(sizeof(Node) % 64 == 0);

  static size_t nodes_for(size_t starts) {
    size_t nodes = 0;
    while (starts > 0) {
      const size_t here = (starts + Family::kNode - 1) / Family::kNode;
      nodes += here;
      starts = here > 1 ? here : 0;
    }
    return nodes;
  }

  // The starts of the level above.
  std::vector<Key> add_level(const std::vector<Key>& starts) {
    std::vector<Key> above;
    first_node_[levels_] = static_cast<uint32_t>(nodes_.size());
    size_[levels_] = static_cast<uint32_t>(starts.size());
    ++levels_;
    for (size_t i = 0; i < starts.size(); i += Family::kNode) {
      above.push_back(starts[i]);
      Node& node = nodes_.emplace_back();
      node.starts.fill(Family::kHighest);
      const size_t here = std::min(Family::kNode, starts.size() - i);
      std::copy_n(starts.begin() + static_cast<std::ptrdiff_t>(i), here, node.starts.begin());
    }
    return above.size() > 1 ? above : std::vector<Key>();
  }

  uint32_t levels_ = 0;
  std::array<uint32_t, kMostLevels> first_node_ = {};  // of each level, the lowest first
  std::array<uint32_t, kMostLevels> size_ = {};        // in starts
  std::pmr::vector<Node> nodes_;
};

}  // namespace maglb
