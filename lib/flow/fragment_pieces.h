// What was seen of one datagram: the byte ranges of its fragments, and where it ends. Tells a new piece
// from an exact duplicate and from what fits no datagram (RFC 5722, RFC 8200 4.5): an overlap, a second
// end, data behind the end.
//
// Memory: 12 bytes here; the ranges, 4 bytes each, in the order they came, lie in an array of the owner's.
// A piece is compared with all of them: 64 ranges are four cache lines.
//
// Invariants:
//   1. No two of the ranges overlap, none is empty, none reaches behind end().
//   2. bytes() is the sum of their lengths; so all is there when the end is known and bytes() == end().
//
// Thread: one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace maglb {

struct PieceRange {
  uint16_t begin = 0;  // bytes behind the datagram's start
  uint16_t end = 0;    // behind the last byte
  friend constexpr bool operator==(const PieceRange&, const PieceRange&) = default;
};
static_assert(sizeof(PieceRange) == 4);

class FragmentPieces {
 public:
  enum class Kind : uint8_t { kNew, kDuplicate, kMisfit };

  // REQUIRES: `seen` are the ranges added so far, piece.begin < piece.end. more: not the last piece.
  Kind judge(std::span<const PieceRange> seen, PieceRange piece, bool more) const {
    for (const PieceRange& range : seen) {
      if (range == piece && more == (piece.end != end_)) {
        return Kind::kDuplicate;
      }
      if (piece.begin < range.end && range.begin < piece.end) {
        return Kind::kMisfit;
      }
    }
    const bool fits = more ? end_ == 0 || piece.end < end_ : end_ == 0 && piece.end > highest_;
    return fits ? Kind::kNew : Kind::kMisfit;
  }

  // The owner writes it at [count()] of the array. REQUIRES: judged as new.
  void add(PieceRange piece, bool more) {
    ++count_;
    bytes_ += static_cast<uint32_t>(piece.end - piece.begin);
    highest_ = std::max(highest_, piece.end);
    end_ = more ? end_ : piece.end;
  }

  size_t count() const { return count_; }
  bool complete() const { return end_ != 0 && bytes_ == end_; }

 private:
  uint32_t bytes_ = 0;
  uint16_t count_ = 0;
  uint16_t highest_ = 0;  // the highest end of a range
  uint16_t end_ = 0;      // the datagram's; 0: its last piece was not seen
};
static_assert(sizeof(FragmentPieces) == 12);

}  // namespace maglb
