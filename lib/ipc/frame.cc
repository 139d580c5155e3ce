#include "lib/ipc/frame.h"

#include <fmt/format.h>

#include <cstring>

#include "lib/base/byte_order.h"
#include "lib/base/check.h"
#include "lib/ipc/messages.h"

namespace maglb {
namespace {

// Buffers above this are given back once they are empty: a big state is sent rarely.
constexpr size_t kKeptCapacity = size_t{1} << 20;

void drop_front(std::vector<uint8_t>& buffer, size_t& begin) {
  if (begin == buffer.size()) {
    buffer.clear();
    begin = 0;
    if (buffer.capacity() > kKeptCapacity) {
      buffer.shrink_to_fit();
    }
  } else if (begin > buffer.size() / 2) {
    buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(begin));
    begin = 0;
  }
}

}  // namespace

void FrameReader::drop_taken() {
  drop_front(buffer_, begin_);
}

void FrameReader::feed(std::span<const uint8_t> bytes) {
  if (broken_) {
    return;
  }
  drop_front(buffer_, begin_);
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<std::span<const uint8_t>>> FrameReader::next() {
  const std::span<const uint8_t> rest = std::span(buffer_).subspan(begin_);
  if (length_ == 0 && !broken_) {
    if (rest.size() < kFrameHeaderSize) {
      return std::nullopt;
    }
    Be32 header;
    std::memcpy(&header, rest.data(), sizeof header);
    length_ = header.host();
    broken_ = length_ == 0 || length_ > limit_;
    if (!broken_ && length_ > kKeptCapacity) {
      // It would grow to up to twice that, and be copied as often as it doubles.
      buffer_.reserve(begin_ + kFrameHeaderSize + length_);
    }
  }
  if (broken_) {
    return fail(ErrorKind::kInvalid, fmt::format("a frame of {} bytes is not in 1..{}", length_, limit_));
  }
  if (rest.size() - kFrameHeaderSize < length_) {
    return std::nullopt;
  }
  const auto content = rest.subspan(kFrameHeaderSize, length_);
  begin_ += kFrameHeaderSize + length_;
  length_ = 0;
  return content;
}

Result<void> FrameWriter::push(const google::protobuf::MessageLite& message) {
  const size_t size = message.ByteSizeLong();
  if (size == 0 || size > kMaxFrameSize || pending().size() + kFrameHeaderSize + size > bound_) {
    return fail(ErrorKind::kConflict,
                fmt::format("no room for a frame of {} bytes behind {} unsent ones", size, pending().size()));
  }
  drop_front(buffer_, begin_);
  const size_t at = buffer_.size();
  buffer_.resize(at + kFrameHeaderSize + size);
  const Be32 header(static_cast<uint32_t>(size));
  std::memcpy(buffer_.data() + at, &header, sizeof header);
  const bool whole = message.SerializeToArray(buffer_.data() + at + kFrameHeaderSize, static_cast<int>(size));
  check(whole, "a message has the size it said");
  return {};
}

void FrameWriter::consume(size_t written) {
  check(written <= pending().size(), "no more is written than was pending");
  begin_ += written;
  drop_front(buffer_, begin_);
}

}  // namespace maglb
