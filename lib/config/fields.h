// Values that both configuration files have: addresses and names.
#pragma once

#include <string>
#include <string_view>

#include "lib/net/address.h"
#include "lib/yaml/reader.h"

namespace maglb {

// 1..63 characters of [A-Za-z0-9._-], the first a letter or digit: a name is part of paths, of
// command lines and of metrics' labels.
bool is_name(std::string_view text);
inline constexpr std::string_view kNameRule =
    "1..63 characters of A-Z a-z 0-9 . _ -, the first a letter or digit";

// As the reading functions of yaml::Field: true when the result was written.
bool read_name(const yaml::Field& field, std::string& out);
bool read_address(const yaml::Field& field, IpAddress& out);
bool read_mac(const yaml::Field& field, MacAddress& out);

}  // namespace maglb
