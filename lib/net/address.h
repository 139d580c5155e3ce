// Addresses of both families under one type, so that no code after parsing is written twice.
//
// Layout: an IpAddress is 16 bytes in network order; IPv4 lies there IPv4-mapped (::ffff:a.b.c.d,
// RFC 4291 2.5.5.2). A mapped address that arrives written as IPv6 is the same address.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "lib/base/byte_order.h"
#include "lib/base/error.h"

namespace maglb {

struct IpAddress {
  std::array<uint8_t, 16> bytes = {};

  static constexpr IpAddress v4(const std::array<uint8_t, 4>& b) {
    return IpAddress{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, b[0], b[1], b[2], b[3]}};
  }
  static IpAddress v4(const Be32& wire) {
    IpAddress address = v4(std::array<uint8_t, 4>{});
    std::memcpy(address.bytes.data() + 12, wire.bytes, 4);
    return address;
  }
  // Dotted quad or RFC 4291 text. No prefix length, no zone, no surrounding space.
  static Result<IpAddress> parse(std::string_view text);

  bool is_v4() const { return load_le64(bytes.data()) == 0 && load_le32(bytes.data() + 8) == 0xffff0000u; }
  // REQUIRES: is_v4().
  Be32 to_v4() const {
    Be32 wire;
    std::memcpy(wire.bytes, bytes.data() + 12, 4);
    return wire;
  }
  // The last eight bytes, as they lie in memory: what mostly tells two addresses apart.
  uint64_t low() const { return load_le64(bytes.data() + 8); }
  bool is_unspecified() const;
  bool is_multicast() const;
  bool is_loopback() const;
  // Dotted quad, or RFC 5952 text.
  std::string to_string() const;

  friend constexpr bool operator==(const IpAddress&, const IpAddress&) = default;
  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

static_assert(sizeof(IpAddress) == 16);

// For the standard's containers, over addresses that are the operator's own: an adversary can choose
// which to look for, not which are there.
struct IpAddressHash {
  size_t operator()(const IpAddress& address) const {
    const uint64_t h =
        (load_le64(address.bytes.data()) * 0x9e3779b97f4a7c15 ^ load_le64(address.bytes.data() + 8)) *
        0xbf58476d1ce4e5b9;
    return h ^ (h >> 32);
  }
};

struct MacAddress {
  std::array<uint8_t, 6> bytes = {};

  // Six two-digit hexadecimal numbers between colons.
  static Result<MacAddress> parse(std::string_view text);
  std::string to_string() const;
  bool is_multicast() const { return (bytes[0] & 1) != 0; }
  // The six bytes in the low 48 bits, the first lowest: as a frame's bytes are loaded. Nothing is built
  // in memory, which a wider load behind it would have to wait for.
  uint64_t word() const { return load_le32(&bytes[0]) | uint64_t{load_le16(&bytes[4])} << 32; }

  friend constexpr bool operator==(const MacAddress&, const MacAddress&) = default;
};

static_assert(sizeof(MacAddress) == 6 && alignof(MacAddress) == 1);

// IANA protocol numbers that a service can name. kAny is not a number on the wire.
enum class Protocol : uint8_t { kAny = 0, kTcp = 6, kUdp = 17 };

std::string_view to_string(Protocol protocol);

}  // namespace maglb
