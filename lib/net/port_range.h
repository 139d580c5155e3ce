// The ports that a service matches: one, some in a row, or any.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace maglb {

struct PortRange {
  // As it is made: any port, 0 included, which is also that of a packet without ports.
  uint16_t first = 0;
  uint16_t last = 65535;  // >= first

  constexpr PortRange() = default;
  constexpr PortRange(uint16_t single) : first(single), last(single) {}
  // REQUIRES: low <= high.
  constexpr PortRange(uint16_t low, uint16_t high) : first(low), last(high) {}

  constexpr bool is_any() const { return first == 0 && last == 65535; }
  constexpr bool is_single() const { return first == last; }
  constexpr bool contains(uint16_t port) const { return first <= port && port <= last; }
  constexpr bool overlaps(const PortRange& other) const { return first <= other.last && other.first <= last; }
  constexpr uint32_t size() const { return uint32_t{last} - first + 1; }
  // "80", "8000-8999", "any".
  std::string to_string() const {
    return is_any()      ? "any"
           : is_single() ? std::to_string(first)
                         : std::to_string(first) + "-" + std::to_string(last);
  }

  friend constexpr bool operator==(const PortRange&, const PortRange&) = default;
  friend constexpr auto operator<=>(const PortRange&, const PortRange&) = default;
};

}  // namespace maglb
