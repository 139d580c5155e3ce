#include "lib/net/tcp_options.h"

#include "lib/net/checksum.h"

namespace maglb {
namespace {

constexpr uint8_t kKindAndLength = 2;
constexpr uint8_t kMssLength = 4;
constexpr uint8_t kSackBlock = 8;
constexpr uint8_t kSackMost = kKindAndLength + 4 * kSackBlock;

bool can_have(TcpOptionKind kind, uint8_t length) {
  switch (kind) {
    case TcpOptionKind::kMaximumSegmentSize:
      return length == kMssLength;
    case TcpOptionKind::kSack:
      return length > kKindAndLength && length <= kSackMost && (length - kKindAndLength) % kSackBlock == 0;
    default:
      return length >= kKindAndLength;
  }
}

template <typename Value>
void replace(std::span<uint8_t> tcp, size_t offset, Value after, ChecksumChange& change) {
  auto& value = header_at<Value>(tcp.data() + offset);
  change.replace_at(offset, value, after);
  value = after;
}

void keep_checksum(std::span<uint8_t> tcp, const ChecksumChange& change) {
  auto& header = header_at<TcpHeader>(tcp.data());
  header.checksum = change.applied_to(header.checksum);
}

}  // namespace

TcpOptionWalk::TcpOptionWalk(std::span<const uint8_t> tcp) : tcp_(tcp.data()) {
  if (tcp.size() >= sizeof(TcpHeader)) {
    const uint32_t length = header_at<TcpHeader>(tcp_).length_bytes();
    end_ = length <= tcp.size() ? static_cast<uint8_t>(length) : 0;
  }
}

std::optional<TcpOption> TcpOptionWalk::next() {
  while (at_ < end_ && TcpOptionKind(tcp_[at_]) == TcpOptionKind::kNoOperation) {
    ++at_;
  }
  if (end_ < kKindAndLength || at_ > end_ - kKindAndLength ||
      TcpOptionKind(tcp_[at_]) == TcpOptionKind::kEnd) {
    end_ = 0;
    return std::nullopt;
  }
  const TcpOption option{TcpOptionKind(tcp_[at_]), at_, tcp_[at_ + 1]};
  if (option.length > end_ - at_ || !can_have(option.kind, option.length)) {
    end_ = 0;
    return std::nullopt;
  }
  at_ = static_cast<uint8_t>(at_ + option.length);
  return option;
}

std::optional<MssOption> mss_option(std::span<const uint8_t> tcp) {
  TcpOptionWalk walk(tcp);
  while (const auto option = walk.next()) {
    if (option->kind == TcpOptionKind::kMaximumSegmentSize) {
      const auto offset = static_cast<uint8_t>(option->offset + kKindAndLength);
      return MssOption{offset, header_at<Be16>(tcp.data() + offset).host()};
    }
  }
  return std::nullopt;
}

bool clamp_mss(std::span<uint8_t> tcp, uint16_t limit) {
  if (tcp.size() < sizeof(TcpHeader) || (header_at<TcpHeader>(tcp.data()).flags & kTcpSyn) == 0) {
    return false;
  }
  ChecksumChange change;
  bool changed = false;
  TcpOptionWalk walk(tcp);
  while (const auto option = walk.next()) {
    const size_t offset = size_t{option->offset} + kKindAndLength;
    if (option->kind == TcpOptionKind::kMaximumSegmentSize &&
        header_at<Be16>(tcp.data() + offset).host() > limit) {
      replace(tcp, offset, Be16(limit), change);
      changed = true;
    }
  }
  if (changed) {
    keep_checksum(tcp, change);
  }
  return changed;
}

uint32_t shift_sack(std::span<uint8_t> tcp, uint32_t delta) {
  ChecksumChange change;
  uint32_t blocks = 0;
  TcpOptionWalk walk(tcp);
  while (const auto option = walk.next()) {
    if (option->kind != TcpOptionKind::kSack) {
      continue;
    }
    const size_t end = size_t{option->offset} + option->length;
    for (size_t edge = size_t{option->offset} + kKindAndLength; edge < end; edge += sizeof(Be32)) {
      replace(tcp, edge, Be32(header_at<Be32>(tcp.data() + edge).host() + delta), change);
    }
    blocks += (option->length - kKindAndLength) / kSackBlock;
  }
  if (blocks != 0) {
    keep_checksum(tcp, change);
  }
  return blocks;
}

}  // namespace maglb
