// The options of a TCP header (RFC 9293 3.1): a bounded walk, and the two changes that a balancer makes,
// to the maximum segment size (RFC 9293 3.7.1) and to selective acknowledgements (RFC 2018).
//
// A TCP segment comes as its bytes from the TCP header on; only its header, data offset times four bytes of
// it, has to be there. Hostile input is the normal case:
// 1. A header that is shorter than 20 bytes or longer than the bytes given has no options.
// 2. The walk ends at an "end of options", at an option that is longer than what is left or shorter than
//    its own two bytes, and at one of a kind known here that has a length it can't have (MSS: 4; SACK: 2 and
//    8 for each of its 1 to 4 blocks). Nothing behind that place is read or changed.
// 3. At most 40 options are seen: each takes a byte of the header's last 40.
//
// Changes keep the checksum in step (RFC 1624), at any alignment of the option. A checksum that was wrong
// stays wrong. Functions of the bytes alone: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "lib/net/wire.h"

namespace maglb {

enum class TcpOptionKind : uint8_t {
  kEnd = 0,
  kNoOperation = 1,
  kMaximumSegmentSize = 2,
  kSack = 5,
};

struct TcpOption {
  TcpOptionKind kind = TcpOptionKind::kEnd;  // or any other number
  uint8_t offset = 0;                        // of the kind, from the start of the TCP header: 20..59
  uint8_t length = 0;                        // with kind and length
};

// while (const auto option = walk.next()) { ... }. Paddings are not shown.
class TcpOptionWalk {
 public:
  explicit TcpOptionWalk(std::span<const uint8_t> tcp);
  std::optional<TcpOption> next();

 private:
  const uint8_t* tcp_;
  uint8_t at_ = sizeof(TcpHeader);
  uint8_t end_ = 0;  // at_ >= end_: nothing left
};

struct MssOption {
  uint8_t offset = 0;  // of the value, from the start of the TCP header
  uint16_t value = 0;
};

// The first one. Says nothing of the flags: only a SYN's counts.
std::optional<MssOption> mss_option(std::span<const uint8_t> tcp);

// Lowers every MSS above `limit` in a segment with SYN; raises none, adds none. (Receivers take the last
// of several, so all are lowered.) Whether anything changed.
bool clamp_mss(std::span<uint8_t> tcp, uint16_t limit);

// Adds `delta`, modulo 2^32, to both edges of every block of a SACK: for a connection whose sequence
// numbers differ by it on both sides. Subtracting is adding -delta. How many blocks changed.
uint32_t shift_sack(std::span<uint8_t> tcp, uint32_t delta);

}  // namespace maglb
