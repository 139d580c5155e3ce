// UTF-8 (RFC 3629) code point by code point, as hostile text needs it. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace maglb::ctl {

struct CodePoint {
  uint32_t value = 0;
  std::size_t length = 0;  // in bytes, at least 1
};

// The code point at the start of `text`, if its first bytes are UTF-8. REQUIRES: text is not empty.
std::optional<CodePoint> decode_utf8(std::string_view text);

// How many columns of a terminal it takes: 0 for what combines with the one before, 2 for wide ones.
// As the C library knows them; 1 for what it does not know.
std::size_t columns_of(uint32_t code);

}  // namespace maglb::ctl
