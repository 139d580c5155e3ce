// A set of addresses that begin alike: "10.0.0.0/24", "2001:db8::/64".
//
// Layout: an IpAddress with every bit beyond the prefix zero, and the length in bits of those 16 bytes, so
// that both families are one kind of prefix: 10.0.0.0/24 has length 120. No prefix holds addresses of both
// families: ::/0 holds IPv6 only.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/net/address.h"

namespace maglb {

struct IpPrefix {
  static constexpr uint8_t kBits = 128;
  static constexpr uint8_t kV4Offset = 96;  // bits in front of an IPv4 address

  IpAddress address;
  uint8_t length = kBits;  // in kV4Offset..kBits for IPv4

  constexpr IpPrefix() = default;
  // An address is the prefix that holds only itself.
  constexpr IpPrefix(const IpAddress& single) : address(single) {}
  // REQUIRES: the bits beyond the length are zero.
  constexpr IpPrefix(const IpAddress& first, uint8_t bits) : address(first), length(bits) {}

  // "10.0.0.0/24", or an address. Bits beyond the length have to be zero. (A mapped address written as IPv6
  // counts its length as IPv6 does: ::ffff:10.0.0.0/120.)
  static Result<IpPrefix> parse(std::string_view text);
  bool is_v4() const { return length >= kV4Offset && address.is_v4(); }
  bool is_single() const { return length == kBits; }
  // As people count it: 24 of 10.0.0.0/24.
  uint8_t text_length() const { return static_cast<uint8_t>(is_v4() ? length - kV4Offset : length); }
  bool contains(const IpAddress& other) const;
  bool contains(const IpPrefix& other) const { return length <= other.length && contains(other.address); }
  bool overlaps(const IpPrefix& other) const { return contains(other) || other.contains(*this); }
  // Always with its length.
  std::string to_string() const;
  // A prefix of one address without it.
  std::string to_short_string() const { return is_single() ? address.to_string() : to_string(); }

  friend constexpr bool operator==(const IpPrefix&, const IpPrefix&) = default;
  friend constexpr auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

// `address` with the bits behind the first `length` cleared. REQUIRES: length <= 128.
IpAddress masked(const IpAddress& address, uint8_t length);

}  // namespace maglb
