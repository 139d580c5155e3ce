#include "lib/net/ip_fragment.h"

#include <algorithm>
#include <cstring>

#include "lib/net/checksum.h"
#include "lib/net/ipv6_chain.h"
#include "lib/net/wire.h"

namespace maglb {
namespace {

constexpr uint16_t kMoreV4 = 0x2000;
constexpr uint16_t kMoreV6 = 1;
constexpr size_t kUnit = 8;

// RFC 8200, 4.5.
struct FragmentHeader {
  uint8_t next_header;
  uint8_t reserved;
  Be16 offset_more;
  Be32 id;
};
static_assert(sizeof(FragmentHeader) == 8 && alignof(FragmentHeader) == 1);

// Where the headers end that go with every piece, and where the last of them names what follows.
struct Unfragmentable {
  size_t end = sizeof(Ipv6Header);
  size_t next_at = offsetof(Ipv6Header, next_header);
};

std::optional<Unfragmentable> unfragmentable_of(std::span<const uint8_t> packet) {
  Unfragmentable kept;
  size_t end = kept.end;
  uint8_t next = packet[kept.next_at];
  while (next == next_header::kHopByHop || next == next_header::kRouting ||
         next == next_header::kDestination) {
    if (packet.size() - end < kUnit || packet.size() - end < (packet[end + 1] + 1u) * kUnit) {
      return std::nullopt;
    }
    const size_t at = end;
    end += (packet[at + 1] + 1u) * kUnit;
    if (next != next_header::kDestination) {
      kept = {end, at};
    }
    next = packet[at];
  }
  if (next == next_header::kFragment) {
    return std::nullopt;
  }
  return kept;
}

}  // namespace

std::optional<IpCut> IpCut::of(std::span<uint8_t> packet, size_t mtu, uint32_t id) {
  if (packet.empty() || packet.size() <= mtu) {
    return std::nullopt;
  }
  return packet[0] >> 4 == 4 ? of_v4(packet, mtu) : of_v6(packet, mtu, id);
}

std::optional<IpCut> IpCut::of_v4(std::span<uint8_t> packet, size_t mtu) {
  if (packet.size() < sizeof(Ipv4Header)) {
    return std::nullopt;
  }
  const auto& ip = header_at<Ipv4Header>(packet.data());
  IpCut cut;
  cut.packet_ = packet;
  cut.header_ = ip.length_bytes();
  cut.more_ = (ip.fragment.host() & kMoreV4) != 0;
  cut.offset_ = (ip.fragment.host() & 0x1fffu) * kUnit;
  if (cut.header_ < sizeof ip || cut.header_ > packet.size() || ip.total_length.host() != packet.size() ||
      ip.dont_fragment() || cut.offset_ + packet.size() - cut.header_ > UINT16_MAX ||
      (cut.more_ && (packet.size() - cut.header_) % kUnit != 0)) {
    return std::nullopt;
  }
  cut.copy_options();
  return cut.set_rooms(mtu) ? std::optional(cut) : std::nullopt;
}

std::optional<IpCut> IpCut::of_v6(std::span<uint8_t> packet, size_t mtu, uint32_t id) {
  if (packet.size() < sizeof(Ipv6Header)) {
    return std::nullopt;
  }
  const auto& ip = header_at<Ipv6Header>(packet.data());
  if (ip.version() != 6 || sizeof ip + ip.payload_length.host() != packet.size()) {
    return std::nullopt;
  }
  const auto kept = unfragmentable_of(packet);
  if (!kept) {
    return std::nullopt;
  }
  IpCut cut;
  cut.packet_ = packet;
  cut.is_v6_ = true;
  cut.id_ = id;
  cut.header_ = cut.later_header_ = kept->end;
  cut.next_at_ = kept->next_at;
  return cut.set_rooms(mtu) ? std::optional(cut) : std::nullopt;
}

// RFC 791, 3.1: bit 7 of an option's type says that it goes with every fragment. What is behind an option
// of an impossible length is no option.
void IpCut::copy_options() {
  constexpr uint8_t kEnd = 0;
  constexpr uint8_t kNothing = 1;
  constexpr uint8_t kCopied = 0x80;
  size_t size = 0;
  for (size_t at = sizeof(Ipv4Header); at < header_ && packet_[at] != kEnd;) {
    const size_t bytes = packet_[at] == kNothing ? 1 : at + 1 < header_ ? packet_[at + 1] : 0;
    if (bytes == 0 || (bytes == 1 && packet_[at] != kNothing) || bytes > header_ - at) {
      break;
    }
    if ((packet_[at] & kCopied) != 0) {
      std::memcpy(options_.data() + size, packet_.data() + at, bytes);
      size += bytes;
    }
    at += bytes;
  }
  later_header_ = sizeof(Ipv4Header) + (size + 3) / 4 * 4;
}

bool IpCut::set_rooms(size_t mtu) {
  const auto room_behind = [&](size_t headers) {
    return mtu < headers ? size_t{0} : (mtu - headers) / kUnit * kUnit;
  };
  const size_t payload = packet_.size() - header_;
  first_room_ = room_behind(header_ + in_front());
  room_ = room_behind(later_header_ + in_front());
  if (first_room_ == 0 || payload <= first_room_) {
    return false;
  }
  pieces_ = 1 + (payload - first_room_ + room_ - 1) / room_;
  return true;
}

size_t IpCut::size_of(size_t piece) const {
  return std::min(packet_.size() - header_ - begin_of(piece), piece == 0 ? first_room_ : room_);
}

size_t IpCut::header_of(size_t piece) const {
  return (piece == 0 ? header_ : later_header_) + in_front();
}

size_t IpCut::bytes_of(size_t piece) const {
  return header_of(piece) + size_of(piece);
}

void IpCut::write(size_t piece, uint8_t* out) const {
  if (is_v6_ || piece == 0) {
    std::memcpy(out, packet_.data(), header_);
  } else {
    std::memcpy(out, packet_.data(), sizeof(Ipv4Header));
    std::memcpy(out + sizeof(Ipv4Header), options_.data(), later_header_ - sizeof(Ipv4Header));
  }
  std::memcpy(out + header_of(piece), packet_.data() + header_ + begin_of(piece), size_of(piece));
  is_v6_ ? finish_v6(piece, out) : finish_v4(piece, out);
}

uint8_t* IpCut::keep_first() const {
  uint8_t* const begin = packet_.data() - in_front();
  if (is_v6_) {
    std::memmove(begin, packet_.data(), header_);
    finish_v6(0, begin);
  } else {
    finish_v4(0, begin);
  }
  return begin;
}

void IpCut::finish_v4(size_t piece, uint8_t* bytes) const {
  auto& ip = header_at<Ipv4Header>(bytes);
  const size_t header = header_of(piece);
  const bool more = more_ || piece + 1 < pieces_;
  ip.version_ihl = static_cast<uint8_t>(0x40 | header / 4);
  ip.total_length = Be16(static_cast<uint16_t>(bytes_of(piece)));
  ip.fragment = Be16(static_cast<uint16_t>((offset_ + begin_of(piece)) / kUnit | (more ? kMoreV4 : 0u)));
  ip.checksum = Be16(0);
  ip.checksum = internet_checksum({bytes, header});
}

void IpCut::finish_v6(size_t piece, uint8_t* bytes) const {
  auto& ip = header_at<Ipv6Header>(bytes);
  ip.payload_length = Be16(static_cast<uint16_t>(bytes_of(piece) - sizeof ip));
  FragmentHeader fragment{};
  fragment.next_header = bytes[next_at_];
  fragment.offset_more = Be16(static_cast<uint16_t>(begin_of(piece) | (piece + 1 < pieces_ ? kMoreV6 : 0u)));
  fragment.id = Be32(id_);
  bytes[next_at_] = next_header::kFragment;
  std::memcpy(bytes + header_, &fragment, sizeof fragment);
}

}  // namespace maglb
