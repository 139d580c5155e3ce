// Which characters a text may have that is read or written as YAML.
//
// YAML readers take U+0085, U+2028 and U+2029 for the end of a line or for none of it, by their version,
// and pass over U+FEFF: a text with one of them is read differently by two programs. Here they are refused,
// as control characters are; in double quotes any character can be written as an escape.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/yaml/problems.h"

namespace maglb::yaml {

// May stand in a text as itself, line breaks and tabs included.
bool is_plain_character(uint32_t code_point);

// The first character that may not, or the first byte that is no UTF-8 (RFC 3629).
std::optional<Problem> find_bad_character(std::string_view text);

// The text in double quotes, with escapes where they are needed. REQUIRES: it is UTF-8.
std::string in_double_quotes(std::string_view text);

}  // namespace maglb::yaml
