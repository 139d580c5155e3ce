// Frames on a byte stream: 4 bytes length, big-endian, then so many bytes of one Envelope (maglb.proto).
// Both classes move bytes only; they know neither sockets nor event loops, so that a poll() loop, Asio
// and a fuzzer use the same code.
//
// Invariants:
//   1. A reader holds no more memory than about twice the bytes that arrived and were not taken: a
//      length alone, however big, allocates nothing.
//   2. A length of 0 or above the limit ends the stream: every later call gives the same error.
//   3. A writer's queue never exceeds its bound; a frame that would is refused as a whole.
//
// One thread each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lib/base/error.h"

namespace google::protobuf {
class MessageLite;
}

namespace maglb {

inline constexpr size_t kFrameHeaderSize = 4;
// A whole state of 1,000 pools with the default table is 131 MB; protobuf itself ends at 2 GiB.
inline constexpr size_t kMaxFrameSize = size_t{256} << 20;

class FrameReader {
 public:
  explicit FrameReader(size_t limit = kMaxFrameSize) : limit_(limit) {}

  // What later frames may have at most. A frame whose header was already judged keeps its right.
  void set_limit(size_t limit) { limit_ = limit; }

  void feed(std::span<const uint8_t> bytes);

  // The next whole frame's content, nothing if more bytes are needed, or the error that ended the
  // stream. The span is valid until the next call of feed(), next() or drop_taken().
  Result<std::optional<std::span<const uint8_t>>> next();
  // Gives the memory of frames that were taken back now, not when more is fed.
  void drop_taken();

 private:
  std::vector<uint8_t> buffer_;
  size_t begin_ = 0;   // of the first frame not yet taken
  size_t length_ = 0;  // of that frame's content once its header was judged, else 0
  size_t limit_;
  bool broken_ = false;
};

class FrameWriter {
 public:
  explicit FrameWriter(size_t bound = kMaxFrameSize + kFrameHeaderSize) : bound_(bound) {}

  // Puts one frame at the end of the queue. kConflict when the queue has no room for it.
  Result<void> push(const google::protobuf::MessageLite& message);

  // What to write next; empty when there is nothing. Valid until the next call of push() or consume().
  std::span<const uint8_t> pending() const { return std::span(buffer_).subspan(begin_); }
  // REQUIRES: written <= pending().size().
  void consume(size_t written);

 private:
  std::vector<uint8_t> buffer_;
  size_t begin_ = 0;
  size_t bound_;
};

}  // namespace maglb
