// Figures and words as people read them. For tables only: JSON output carries the API's own figures.
// Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace maglb::ctl {

// "9999", then "12.3 k", "1.2 M", "4.0 G": decimal units, one decimal, rounded.
std::string human_count(uint64_t count);

// "999 B", "1.2 kB", "3.4 MB": decimal units.
std::string human_bytes(uint64_t bytes);

// "1,234,567": for figures that are to be added up.
std::string exact_count(uint64_t count);

// The two largest units: "350ms", "12.5s", "3m12s", "4h05m", "3d04h". Negative is "0ms".
std::string human_duration(double seconds);

// A fraction as "25.0 %".
std::string human_share(double fraction);

// What others wrote, made safe for a terminal and for a line: control characters, the invisible and
// direction-changing ones of Unicode, and bytes that are no UTF-8 appear as \n, \x1b or \u202e.
// A backslash stays as it is: this is for reading, not for reading back.
std::string escaped(std::string_view text);

// The columns of a terminal that an escaped string takes.
std::size_t display_width(std::string_view text);

}  // namespace maglb::ctl
