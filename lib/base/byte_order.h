// Network order is a type. Be16 and Be32 are bytes as they lie on the wire: alignment 1, so that a
// struct of them can be laid over a packet at any offset, and read without a misaligned access.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace maglb {

static_assert(std::endian::native == std::endian::little, "written for little-endian machines");

struct Be16 {
  uint8_t bytes[2] = {};

  constexpr Be16() = default;
  explicit constexpr Be16(uint16_t host)
      : bytes{static_cast<uint8_t>(host >> 8), static_cast<uint8_t>(host)} {}
  constexpr uint16_t host() const { return static_cast<uint16_t>((bytes[0] << 8) | bytes[1]); }
  friend constexpr bool operator==(const Be16&, const Be16&) = default;
};

struct Be32 {
  uint8_t bytes[4] = {};

  constexpr Be32() = default;
  explicit constexpr Be32(uint32_t host)
      : bytes{static_cast<uint8_t>(host >> 24), static_cast<uint8_t>(host >> 16),
              static_cast<uint8_t>(host >> 8), static_cast<uint8_t>(host)} {}
  constexpr uint32_t host() const {
    return (uint32_t{bytes[0]} << 24) | (uint32_t{bytes[1]} << 16) | (uint32_t{bytes[2]} << 8) | bytes[3];
  }
  friend constexpr bool operator==(const Be32&, const Be32&) = default;
};

static_assert(sizeof(Be16) == 2 && alignof(Be16) == 1);
static_assert(sizeof(Be32) == 4 && alignof(Be32) == 1);

// Little-endian loads and stores at any alignment.
inline uint64_t load_le64(const void* from) {
  uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
inline uint32_t load_le32(const void* from) {
  uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline uint16_t load_le16(const void* from) {
  uint16_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <typename Value>
inline void store_le(void* to, Value value) {
  std::memcpy(to, &value, sizeof value);
}

}  // namespace maglb
