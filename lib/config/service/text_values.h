// Text in maglb.yaml: what may be in it, how it is read and how it is written.
#pragma once

#include <string>
#include <string_view>

#include "lib/yaml/reader.h"

namespace maglb {

// UTF-8 without control characters.
bool is_text(std::string_view text);
// A name that DNS knows: labels of letters, digits, - and _, at most kMaxHostName in all. No dot at the end.
bool is_host_name(std::string_view text);
// A path of a file, from the root.
bool is_absolute_path(std::string_view text);

// As yaml::Field::string(), but text may be empty: to say that something inherited is not wanted.
bool read_text(const yaml::Field& field, std::string& out);

// As it is where that is surely text, else in double quotes. REQUIRES: is_text().
std::string write_text(std::string_view text);
// An address or a prefix: IPv6's colons are YAML's, too.
std::string write_address(const std::string& text);

}  // namespace maglb
